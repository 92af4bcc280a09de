"""Which verdicts are kept for the next time, and what is said where there is none."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.collection import ReportValidation
from ct_assets.dicom.validators import Validation, ValidationOutcome
from ct_assets.settings import settings
from ct_assets.sr_validation import cohort
from ct_assets.sr_validation.cohort import rejections, validate_cohort
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import SR_VALIDATION

NAMES = ("a", "b", "c")
Verdict = Callable[[str], Validation]


def _accepted(name: str) -> Validation:
    return Validation("DicomSRValidator", ValidationOutcome.ACCEPTED)


def _rejected(*errors: str, complete: bool = True) -> Validation:
    return Validation("DicomSRValidator", ValidationOutcome.REJECTED, errors, complete=complete)


class Validator:
    """Stands for DicomSRValidator; knows which files it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.verdict: Verdict = _accepted

    def __call__(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Validation]]:
        self.given = [path.stem for path in paths]
        for path in paths:
            yield path, self.verdict(path.stem)


@pytest.fixture
def validator(monkeypatch: pytest.MonkeyPatch) -> Validator:
    stand_in = Validator()
    monkeypatch.setattr(cohort, "validate_reports", stand_in)
    monkeypatch.setattr(cohort, "installed", lambda: True)
    monkeypatch.setattr(cohort, "validator_version", lambda: "DicomSRValidator 1")
    return stand_in


@pytest.fixture
def collection(tmp_path: Path) -> CollectionFolder:
    """A series with three reports."""
    folder = CollectionFolder(tmp_path / "demo")
    reports = folder.series("1.2.3").path / "sr"
    reports.mkdir(parents=True)
    for name in NAMES:
        (reports / f"{name}.dcm").write_text(name)
    return folder


def _validate(collection: CollectionFolder) -> cohort.CohortValidation:
    return validate_cohort(collection, ReportValidation())


def test_a_file_is_validated_again_when_it_changes(collection: CollectionFolder, validator: Validator) -> None:
    _validate(collection)
    (collection.series("1.2.3").path / "sr/b.dcm").write_text("changed")
    assert _validate(collection).reused == 2
    assert validator.given == ["b"]


def test_all_are_when_the_validator_changes(
    collection: CollectionFolder, validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _validate(collection)
    monkeypatch.setattr(cohort, "validator_version", lambda: "DicomSRValidator 2")
    assert _validate(collection).reused == 0
    assert validator.given == list(NAMES)


def test_a_rejection_is_kept_unless_the_validator_did_not_come_to_an_end(
    collection: CollectionFolder, validator: Validator
) -> None:
    verdicts = {"a": _rejected("Error: a"), "b": _rejected("stopped after 1 s", complete=False), "c": _accepted("c")}
    validator.verdict = verdicts.__getitem__
    assert _validate(collection).outcome is ValidationOutcome.REJECTED
    validator.verdict = _accepted
    again = _validate(collection)
    assert validator.given == ["b"]
    assert rejections(again.rows) == ["1.2.3: sr/a.dcm: Error: a"]


def test_what_was_said_before_an_interruption_is_kept(collection: CollectionFolder, validator: Validator) -> None:
    def interrupted(name: str) -> Validation:
        if name == "c":
            raise KeyboardInterrupt
        return _accepted(name)

    validator.verdict = interrupted
    with pytest.raises(KeyboardInterrupt):
        _validate(collection)
    validator.verdict = _accepted
    assert _validate(collection).reused == 2
    assert validator.given == ["c"]


@pytest.mark.parametrize("damage", [b"", b"PAR1 half of it", "another"])
def test_a_table_that_cannot_be_read_is_replaced(
    collection: CollectionFolder, validator: Validator, damage: bytes | str
) -> None:
    _validate(collection)
    table = collection.cohort.sr_validation
    if isinstance(damage, bytes):
        table.write_bytes(damage)
    else:
        other = type(SR_VALIDATION)(SR_VALIDATION.name, SR_VALIDATION.version + 1, SR_VALIDATION.columns)
        other.write(other.empty(), table)
    assert _validate(collection).reused == 0
    assert _validate(collection).reused == len(NAMES)


def test_a_report_with_many_errors_is_shortened_where_it_is_shown(
    collection: CollectionFolder, validator: Validator
) -> None:
    validator.verdict = lambda _: _rejected(*(f"Error {number}" for number in range(1000)))
    found = _validate(collection)
    assert len(found.rows["messages"][0]) == 1000
    assert rejections(found.rows)[0] == ("1.2.3: sr/a.dcm: Error 0; Error 1; Error 2; Error 3; Error 4; and 995 more")


def test_a_collection_without_reports_is_neither_accepted_nor_rejected(
    tmp_path: Path, validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _validate(CollectionFolder(tmp_path / "empty")).outcome is None
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        result = CliRunner().invoke(main, ["validate", "demo"])
    finally:
        settings.cache_clear()
    assert result.exit_code == 1
    assert result.output == "Error: no series of demo has a report yet; annotate it first\n"
