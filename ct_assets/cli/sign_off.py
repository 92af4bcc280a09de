"""Command sign-off: a person answers for what the reports of a series say."""

import re
from datetime import UTC, datetime

import click

from ct_assets.cli.collection import stored_collection
from ct_assets.cli.errors import clear_errors
from ct_assets.dicom.authorship import LONG_STRING_LENGTH
from ct_assets.dicom.edition import SignOff

_PERSON = re.compile(r"[^\\^=\x00-\x1f]+(\^[^\\^=\x00-\x1f]*){1,4}")
_ORGANIZATION = re.compile(r"[^\\\x00-\x1f]+")


@click.command("sign-off")
@click.argument("collection")
@click.argument("series")
@click.option("--person", required=True, help="Who answers for the content, as DICOM writes names: Doe^Jane.")
@click.option("--organization", required=True, help="For which organization, at most 64 characters.")
def sign_off(collection: str, series: str, person: str, organization: str) -> None:
    """Note that a person answers for what the reports of SERIES, a SeriesInstanceUID in COLLECTION, say now.

    Materialize dicom_sr of the series then: its reports become VERIFIED and FINAL, name the person, and replace the
    ones before. What they say later, if it is something else, is unverified again. Accepting a series in quality
    control is no such signature.
    """
    if not _PERSON.fullmatch(person) or len(person) > LONG_STRING_LENGTH:
        message = f"write the name as DICOM does, family name first, in {LONG_STRING_LENGTH} characters: Doe^Jane"
        raise click.BadParameter(message, param_hint="--person")
    if not _ORGANIZATION.fullmatch(organization.strip()) or len(organization.strip()) > LONG_STRING_LENGTH:
        message = f"give 1 to {LONG_STRING_LENGTH} characters without a backslash"
        raise click.BadParameter(message, param_hint="--organization")
    with clear_errors():
        from ct_assets.dicom_sr.sign_off import sign

        folder = stored_collection(collection).series(series)
        moment = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
        signed = sign(folder, SignOff(person=person, organization=organization.strip(), moment=moment))
    click.echo(f"signed: {', '.join(signed)}; materialize dicom_sr of the series to write it into the reports")
