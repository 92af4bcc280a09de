"""Editions of a report: what it replaces, who signs it, and that the same content is the same file."""

import dataclasses
import logging
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.dicom.edition import SignOff
from ct_assets.dicom.validators import ValidationOutcome, validate_dicom
from ct_assets.dicom.written import NothingWrittenError, outdated, read_objects, write_objects
from ct_assets.dicom_sr.features import EXPERT_DESCRIPTION, StaleFeaturesError
from ct_assets.dicom_sr.sign_off import read_sign_offs, sign
from ct_assets.store.record import RecordError
from tests.dicom_sr.conftest import Annotated, expert_plan
from tests.dicom_sr.frames import read_features
from tests.dicom_sr.stored import store

SIGN_OFF = SignOff(person="Doe^Jane", organization="Example Hospital", moment="20250102030405+0000")


def _read(path: Path) -> pydicom.Dataset:
    return pydicom.dcmread(path)


@pytest.fixture
def changed(small: Annotated) -> Annotated:
    """The same series, with one landmark less."""
    landmarks = small.landmarks.copy()
    landmarks.loc[landmarks["landmark"] == "Th5", "located"] = False
    return dataclasses.replace(small, landmarks=landmarks)


def test_a_report_that_says_something_else_names_the_one_it_replaces(
    small: Annotated, changed: Annotated, tmp_path: Path
) -> None:
    first = {name: _read(path) for name, path in small.write(tmp_path).items()}
    paths = changed.write(tmp_path)
    (study,) = _read(paths["landmarks"]).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    before = first["landmarks"]
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (before.StudyInstanceUID, before.SeriesInstanceUID)
    assert (instance.ReferencedSOPInstanceUID, instance.ReferencedSOPClassUID) == (
        before.SOPInstanceUID,
        before.SOPClassUID,
    )
    assert _read(paths["landmarks"]).SOPInstanceUID != before.SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in _read(paths["regions"])
    assert _read(paths["regions"]).SOPInstanceUID == first["regions"].SOPInstanceUID
    assert read_objects(tmp_path / "objects.json")["landmarks"].replaces == (str(before.SOPInstanceUID),)
    assert validate_dicom(paths["landmarks"]).outcome is ValidationOutcome.ACCEPTED


def test_writing_the_same_again_changes_no_byte_also_after_a_replacement(
    small: Annotated, changed: Annotated, tmp_path: Path
) -> None:
    small.write(tmp_path)
    before = {path: path.read_bytes() for path in [*changed.write(tmp_path).values(), tmp_path / "objects.json"]}
    changed.write(tmp_path)
    assert {path: path.read_bytes() for path in before} == before


def test_a_seg_has_no_predecessor_but_a_lineage(small: Annotated, tmp_path: Path) -> None:
    first = small.example.write(tmp_path / "seg.dcm")
    labels = small.example.labels.copy()
    labels[3, 3, 3] = 1
    second = dataclasses.replace(small.example, labels=labels).write(tmp_path / "seg.dcm")
    third = small.example.write(tmp_path / "seg.dcm")
    assert first.reference
    assert second.reference
    assert third.replaces == (second.reference.sop_instance_uid,), "not itself"
    assert third.reference == first.reference
    assert "PredecessorDocumentsSequence" not in _read(tmp_path / "seg.dcm")


def test_what_other_inputs_made_is_outdated_and_so_is_a_file_that_was_changed(
    small: Annotated, changed: Annotated, tmp_path: Path
) -> None:
    assert len(outdated(small.plans(tmp_path), tmp_path / "objects.json")) == 3
    small.write(tmp_path)
    assert outdated(small.plans(tmp_path), tmp_path / "objects.json") == []
    assert outdated(changed.plans(tmp_path), tmp_path / "objects.json") == [
        "landmarks.dcm was made from other inputs than there are now"
    ]
    (tmp_path / "regions.dcm").write_bytes(b"other")
    assert outdated(small.plans(tmp_path), tmp_path / "objects.json") == [
        "regions.dcm is not the file that was written"
    ]


def test_a_report_that_comes_back_after_there_was_none_replaces_the_last_one(small: Annotated, tmp_path: Path) -> None:
    first = _read(small.write(tmp_path)["landmarks"])
    dataclasses.replace(small, landmarks=small.landmarks.assign(located=False)).write(tmp_path)
    again = small.write(tmp_path)["landmarks"]
    replaced = _read(again).PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert replaced.ReferencedSOPInstanceUID == first.SOPInstanceUID
    content = again.read_bytes()
    small.write(tmp_path)
    assert again.read_bytes() == content


def test_a_signer_s_name_is_kept_whatever_the_character_set_of_the_ct(small: Annotated, tmp_path: Path) -> None:
    signed = SIGN_OFF.model_copy(update={"person": "山田^太郎"})
    paths = small.write(tmp_path, sign_offs={plan.content: signed for plan in small.plans(tmp_path)})
    observer = _read(paths["landmarks"]).VerifyingObserverSequence[0]
    assert str(observer.VerifyingObserverName) == "山田^太郎"
    assert validate_dicom(paths["landmarks"]).outcome is ValidationOutcome.ACCEPTED


def test_a_report_that_is_no_longer_wanted_is_removed(small: Annotated, tmp_path: Path) -> None:
    paths = small.write(tmp_path)
    write_objects(small.plans(tmp_path)[1:], tmp_path / "objects.json")
    assert not paths["features"].exists()
    assert set(read_objects(tmp_path / "objects.json")) == {"landmarks", "regions"}


def test_signed_content_is_verified_and_final_until_it_changes(
    small: Annotated, changed: Annotated, tmp_path: Path
) -> None:
    unsigned = _read(small.write(tmp_path)["landmarks"])
    content = read_objects(tmp_path / "objects.json")["landmarks"].content
    signed = _read(small.write(tmp_path, sign_offs={content: SIGN_OFF})["landmarks"])
    assert (unsigned.VerificationFlag, unsigned.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert (signed.VerificationFlag, signed.PreliminaryFlag) == ("VERIFIED", "FINAL")
    (observer,) = signed.VerifyingObserverSequence
    assert (str(observer.VerifyingObserverName), observer.VerifyingOrganization) == ("Doe^Jane", "Example Hospital")
    assert str(observer.VerificationDateTime) == SIGN_OFF.moment
    replaced = signed.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert replaced.ReferencedSOPInstanceUID == unsigned.SOPInstanceUID != signed.SOPInstanceUID
    later = _read(changed.write(tmp_path, sign_offs={content: SIGN_OFF})["landmarks"])
    assert later.VerificationFlag == "UNVERIFIED"
    assert "VerifyingObserverSequence" not in later


def test_signing_notes_who_answers_for_what_is_there_now(small: Annotated, tmp_path: Path) -> None:
    folder = store(small, tmp_path)
    with pytest.raises(NothingWrittenError, match=folder.series_instance_uid):
        sign(folder, SIGN_OFF)
    write_objects(small.plans(folder.landmarks_sr.parent), folder.sr_objects)
    assert sign(folder, SIGN_OFF) == ["3d_fullres", "landmarks", "regions"]
    assert set(read_sign_offs(folder.sign_offs)) == {one.content for one in read_objects(folder.sr_objects).values()}
    options = ["--person", "Roe^Richard", "--organization", "Example Hospital"]
    result = CliRunner().invoke(main, ["sign-off", str(tmp_path), folder.series_instance_uid, *options])
    assert result.exit_code == 0, result.output
    assert {one.person for one in read_sign_offs(folder.sign_offs).values()} == {"Roe^Richard"}
    options[1] = "Richard"
    result = CliRunner().invoke(main, ["sign-off", str(tmp_path), folder.series_instance_uid, *options])
    assert result.exit_code == 2
    assert "family name first" in result.output
    folder.sign_offs.write_text("{")
    with pytest.raises(RecordError):
        read_sign_offs(folder.sign_offs)


def test_the_expert_s_report_refers_to_the_expert_s_segments(special_reports: dict[str, Path]) -> None:
    dataset = _read(special_reports["expert"])
    assert (dataset.SeriesDescription, dataset.SeriesNumber) == (EXPERT_DESCRIPTION, 1004)
    read = read_features(special_reports["expert"]).drop_duplicates("organ").set_index("organ")
    assert read["SegmentNumber"].to_dict() == {"esophagus": 1, "heart": 4, "aorta": 2}
    assert dataset.CompletionFlag == "PARTIAL"
    assert b"demonstration" not in special_reports["expert"].read_bytes()


def test_features_of_another_segmentation_are_refused(small: Annotated, tmp_path: Path) -> None:
    stale = dataclasses.replace(small, features=small.features.assign(segmentation="another"))
    with pytest.raises(StaleFeaturesError, match="materialize shape_features again"):
        stale.plans(tmp_path)
    assert expert_plan(small, tmp_path / "sr.dcm").absent is None


def test_contributing_equipment_names_scanner_model_and_writer(reports: dict[str, Path], small: Annotated) -> None:
    for path in (*reports.values(), small.seg):
        equipment = _read(path).ContributingEquipmentSequence
        purposes = {item.PurposeOfReferenceCodeSequence[0].CodeMeaning: item for item in equipment}
        assert {"Acquisition Equipment", "Processing Equipment"} <= set(purposes)
        processing = next(item for item in equipment if item.get("DeviceSerialNumber"))
        assert len(processing.DeviceSerialNumber) == 64


def test_a_damaged_record_is_named_and_what_was_before_is_forgotten(
    small: Annotated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = small.write(tmp_path)
    before = paths["regions"].read_bytes()
    (tmp_path / "objects.json").write_text('{"objects": 1}')
    caplog.set_level(logging.WARNING, logger="ct_assets.dicom.written")
    small.write(tmp_path)
    assert "objects.json is damaged" in caplog.text
    assert paths["regions"].read_bytes() == before
    assert set(read_objects(tmp_path / "objects.json")) == {"3d_fullres", "landmarks", "regions"}
