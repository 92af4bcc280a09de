"""Commands about models: fetch a published one, list what is there."""

from pathlib import Path

import click

from ct_assets.cli.errors import clear_errors
from ct_assets.settings import settings
from resources.model_catalogue import CATALOGUE, KNOWN_KINDS, CatalogueModel, remedy


@click.group()
def models() -> None:
    """Fetch the models that others published, and list those that are there."""


@models.command("fetch")
@click.argument("name")
@click.option(
    "--archive", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Install from this ZIP file, without a network; its MD5 is recorded, not compared.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Replace the model if it is installed.")
def fetch(name: str, archive: Path | None, again: bool) -> None:
    """Fetch the model NAME, segthor or bpr_public, from Zenodo and install it in <home>/models/NAME.

    Size and MD5 are those that Zenodo gives, or nothing is installed. An interrupted call goes on where it stopped.
    Which models there are: ct-assets models list.
    """
    with clear_errors():
        model = _known(name)
        from ct_assets.cli import models_summary
        from resources.model_install import fetch_model, install_archive
        from resources.zenodo import Zenodo

        with models_summary.progress(name) as report:
            if archive is not None:
                installation = install_archive(model, _root(), archive, again=again, report=report)
            else:
                with Zenodo(settings().zenodo) as zenodo:
                    installation = fetch_model(model, _root(), zenodo, again=again, report=report)
        models_summary.show_installation(name, installation)


@models.command("list")
def list_() -> None:
    """List the models in <home>/models with their digests, and how to get those that are missing."""
    with clear_errors():
        from ct_assets.cli import models_summary
        from resources.model_inventory import list_models

        models_summary.show_models(list_models(_root()), str(_root()))


def _root() -> Path:
    return Path(settings().home) / "models"


def _known(name: str) -> CatalogueModel:
    if name in CATALOGUE:
        return CATALOGUE[name]
    message = f"{name} cannot be fetched; what can: {', '.join(CATALOGUE)}"
    if name in KNOWN_KINDS:
        message += f". For {name}, {remedy(name)}"
    raise click.ClickException(message)
