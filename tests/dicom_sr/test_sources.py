"""Awkward sources: character sets, empty and missing attributes, no frame of reference; all objects stay valid."""

import dataclasses
from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom.series import CtSeries, InconsistentSeriesError
from ct_assets.dicom.source import UNKNOWN_DATE
from ct_assets.dicom.validators import ValidationOutcome, validate_dicom
from tests.dicom_seg.examples import with_headers
from tests.dicom_sr.conftest import Annotated

NAMES = {
    "Latin-1": ("ISO_IR 100", "Müller^Jörg"),
    "Cyrillic": ("ISO_IR 144", "Иванов^Юрий"),
    "Greek": ("ISO_IR 126", "Διονυσιος"),
    "Arabic": ("ISO_IR 127", "قباني^لنزار"),
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Unicode": ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
}
"""Names of PS3.5 annexes H to K and PS3.3 C.12.1.1.2, with their character sets."""

Written = dict[str, pydicom.Dataset]


def _written(annotated: Annotated, folder: Path, **changes: str | list[str] | None) -> Written:
    """Write all objects of a series whose headers are changed, and have each accepted by dciodvfy."""
    folder.mkdir(parents=True, exist_ok=True)
    example = annotated.example
    example = dataclasses.replace(example, series=with_headers(example.series, **changes))
    example.write(folder / "seg.dcm")
    changed = dataclasses.replace(annotated, example=example, seg=folder / "seg.dcm")
    paths = {"seg": folder / "seg.dcm", **changed.write(folder)}
    for path in paths.values():
        validation = validate_dicom(path)
        assert validation.outcome is ValidationOutcome.ACCEPTED, validation
    return {name: pydicom.dcmread(path) for name, path in paths.items()}


@pytest.mark.parametrize("script", NAMES)
def test_a_name_comes_back_in_its_character_set(small: Annotated, tmp_path: Path, script: str) -> None:
    character_set, name = NAMES[script]
    named = with_headers(small.example.series, SpecificCharacterSet=character_set, PatientName=name)
    files = [tmp_path / f"{number}.dcm" for number, _ in enumerate(named.instances)]
    for path, instance in zip(files, named.instances, strict=True):
        instance.header.save_as(path, enforce_file_format=True)
    read = dataclasses.replace(small, example=dataclasses.replace(small.example, series=CtSeries.read(files)))
    for dataset in _written(read, tmp_path / "objects").values():
        assert str(dataset.PatientName) == name
        assert dataset.SpecificCharacterSet in (character_set, "ISO_IR 192")


def test_empty_dates_of_a_de_identified_series(small: Annotated, tmp_path: Path) -> None:
    dates = ("StudyDate", "StudyTime", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate")
    for dataset in _written(small, tmp_path, **dict.fromkeys(dates, "")).values():
        assert (dataset.StudyDate, dataset.PatientBirthDate) == ("", "")
        assert dataset.ContentDate == UNKNOWN_DATE


def test_optional_patient_attributes_that_are_missing(small: Annotated, tmp_path: Path) -> None:
    absent = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID")
    for dataset in _written(
        small, tmp_path, **dict.fromkeys((*absent, "StudyDate", "ReferringPhysicianName"))
    ).values():
        assert (dataset.PatientID, str(dataset.PatientName), dataset.PatientSex) == ("", "", "")


def test_a_ct_without_frame_of_reference(small: Annotated, tmp_path: Path) -> None:
    first = _written(small, tmp_path / "first", FrameOfReferenceUID=None)
    again = _written(small, tmp_path / "again", FrameOfReferenceUID="")
    assert first["seg"].FrameOfReferenceUID == again["seg"].FrameOfReferenceUID
    assert first["seg"].FrameOfReferenceUID.startswith("2.25.")


def test_a_ct_without_study_is_refused_by_name(small: Annotated, tmp_path: Path) -> None:
    with pytest.raises(InconsistentSeriesError, match="has no StudyInstanceUID, so nothing can be filed beside it"):
        _written(small, tmp_path, StudyInstanceUID="")
    assert not list(tmp_path.glob("*.dcm"))
