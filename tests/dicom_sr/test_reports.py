import dataclasses
from pathlib import Path

import pandas as pd
import pydicom
import pytest

from ct_assets.dicom.codes import landmark_codes, region_codes
from ct_assets.dicom.written import read_objects
from ct_assets.dicom_sr.document import Software
from ct_assets.dicom_sr.read import UnusableReportError
from ct_assets.dicom_sr.segments import MismatchedSegmentationError, model_segments
from ct_assets.provenance import DEMONSTRATION_NOTICE
from tests.dicom_sr.conftest import OUTSIDE, REPORTS, Annotated
from tests.dicom_sr.frames import read_features, read_landmarks, read_regions


def test_features_come_back_exactly_without_the_organ_that_is_absent(
    annotated: Annotated, reports: dict[str, Path]
) -> None:
    read = read_features(reports["features"])
    rows = annotated.features[annotated.features["model"] == "3d_fullres"].dropna(subset="value")
    columns = ["organ", "feature", "value", "unit", "code"]
    pd.testing.assert_frame_equal(read[columns], rows[columns].reset_index(drop=True), check_dtype=False)
    assert read["SegmentNumber"].tolist() == rows["label"].tolist()
    assert set(read["organ"]) == {"esophagus", "heart", "aorta"}
    assert set(read["SegmentationSOPInstanceUID"]) == {str(pydicom.dcmread(annotated.seg).SOPInstanceUID)}
    assert set(read["SeriesInstanceUID"]) == {annotated.example.record.series_instance_uid}


def test_landmarks_come_back_on_their_slices(annotated: Annotated, reports: dict[str, Path]) -> None:
    read = read_landmarks(reports["landmarks"]).set_index("landmark")
    located = annotated.landmarks[annotated.landmarks["located"]].set_index("landmark")
    assert set(read.index) == set(landmark_codes()) - set(OUTSIDE)
    assert read["SOPInstanceUID"].to_dict() == located["SOPInstanceUID"].to_dict()
    assert read.loc["kidney", "modifier_code"] is None
    assert read.loc["lung_end", ["code", "modifier_code"]].tolist() == ["39607008", "421812003"]
    assert read["group"].nunique() == located["SOPInstanceUID"].nunique()


def test_regions_come_back_on_their_slices_without_empty_groups(annotated: Annotated, reports: dict[str, Path]) -> None:
    read = read_regions(reports["regions"])
    found = read.groupby("SOPInstanceUID")["region"].agg(set).to_dict()
    pairs = zip(annotated.example.record.slices, annotated.slice_regions, strict=True)
    assert found == {entry.sop_instance_uid: set(regions) for entry, regions in pairs if regions}
    assert read["group"].nunique() == len(found)
    assert {row.code for row in read.itertuples()} == {
        region_codes()[name].site.value for name in ("abdomen", "chest", "shoulder-neck")
    }


def test_published_compatibility_selects_the_published_codes(small: Annotated, tmp_path: Path) -> None:
    published = small.write(tmp_path / "published", "published")
    read = read_regions(published["regions"])
    assert dict(zip(read["region"], read["code"], strict=True)) == {
        name: region_codes()[name].published.value for name in ("abdomen", "chest", "shoulder-neck")
    }
    located = small.landmarks.assign(located=True, SOPInstanceUID=small.example.record.slices[0].sop_instance_uid)
    small = dataclasses.replace(small, landmarks=located)
    everything = small.write(tmp_path / "published", "published")
    landmarks = read_landmarks(everything["landmarks"])
    assert set(landmarks["landmark"]) == set(landmark_codes())
    codes = landmarks.set_index("landmark")[["code", "modifier_code"]]
    assert codes.loc["pelvis_start"].tolist() == ["8106092008", "42161009"]
    assert codes.loc["nose"].tolist() == ["45206002", "42161009"]
    corrected = small.write(tmp_path / "corrected")
    for name in ("landmarks", "regions"):
        uids = {str(pydicom.dcmread(paths[name]).SOPInstanceUID) for paths in (corrected, everything)}
        assert len(uids) == 2


@pytest.mark.parametrize(
    ("name", "number", "description", "sop_class"),
    [
        ("features", 1001, "3d_fullres-tta_nnU-Net_Measurements", "1.2.840.10008.5.1.4.1.1.88.22"),
        ("landmarks", 101, "BPR landmark annotations", "1.2.840.10008.5.1.4.1.1.88.34"),
        ("regions", 100, "BPR region annotations", "1.2.840.10008.5.1.4.1.1.88.34"),
    ],
)
def test_head_of_the_reports(
    reports: dict[str, Path], annotated: Annotated, name: str, number: int, description: str, sop_class: str
) -> None:
    dataset = pydicom.dcmread(reports[name])
    assert dataset.SeriesDescription == f"{description} (demonstration model)"
    assert (dataset.SeriesNumber, dataset.SOPClassUID) == (number, sop_class)
    assert (dataset.VerificationFlag, dataset.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert dataset.CompletionFlag == ("PARTIAL" if name == "features" else "COMPLETE")
    assert dataset.get("CompletionFlagDescription") == ("not measurable: trachea" if name == "features" else None)
    assert dataset.StudyInstanceUID == annotated.example.record.study_instance_uid
    assert str(dataset.PatientName) == str(annotated.example.series.header.PatientName)
    content = reports[name].read_bytes()
    assert DEMONSTRATION_NOTICE.encode() in content
    model = annotated.example.seg_record.provenance if name == "features" else annotated.provenance
    assert model.weights_digest.encode() in content


@pytest.mark.parametrize(("name", "read"), [("landmarks", read_landmarks), ("regions", read_regions)])
def test_every_group_has_a_tracking_uid_of_its_own(reports: dict[str, Path], name: str, read: object) -> None:
    assert callable(read)
    groups = read(reports[name]).drop_duplicates("group")
    assert groups["tracking_uid"].is_unique
    assert groups["tracking_identifier"].is_unique


def test_equal_input_gives_equal_bytes_and_other_weights_a_new_object(small: Annotated, tmp_path: Path) -> None:
    first = small.write(tmp_path / "first")
    again = small.write(tmp_path / "again")
    example = small.example
    other = {"weights_digest": "f" * 64}
    seg_record = example.seg_record.model_copy(
        update={"provenance": example.seg_record.provenance.model_copy(update=other)}
    )
    changed = dataclasses.replace(
        small,
        example=dataclasses.replace(example, seg_record=seg_record),
        provenance=small.provenance.model_copy(update=other),
    ).write(tmp_path / "changed")
    for name in REPORTS:
        assert first[name].read_bytes() == again[name].read_bytes()
        old, new = pydicom.dcmread(first[name]), pydicom.dcmread(changed[name])
        assert old.SOPInstanceUID != new.SOPInstanceUID
        assert old.SeriesInstanceUID != new.SeriesInstanceUID


def test_nothing_to_report_gives_no_file_and_a_recorded_reason(small: Annotated, tmp_path: Path) -> None:
    before = small.write(tmp_path)
    nothing = dataclasses.replace(
        small,
        features=small.features.assign(value=None),
        landmarks=small.landmarks.assign(located=False),
        slice_regions=((),) * len(small.slice_regions),
    )
    nothing.write(tmp_path)
    assert not any(path.exists() for path in before.values())
    assert {name: report.absent for name, report in read_objects(tmp_path / "objects.json").items()} == {
        "3d_fullres": "no organ could be measured",
        "landmarks": "no landmark is located",
        "regions": "no slice has a region",
    }


def test_complete_when_every_value_is_there(small: Annotated, tmp_path: Path) -> None:
    paths = dataclasses.replace(small, features=small.features.assign(value=1.0)).write(tmp_path)
    assert pydicom.dcmread(paths["features"]).CompletionFlag == "COMPLETE"


def test_a_seg_of_another_series_is_refused(small: Annotated, annotated: Annotated) -> None:
    with pytest.raises(MismatchedSegmentationError, match=r"seg\.dcm: segments another series"):
        model_segments(annotated.seg, small.example.record, "")


def test_regions_of_another_number_of_slices_are_refused(small: Annotated, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="regions of 1 slices given for a CT of 12"):
        dataclasses.replace(small, slice_regions=(("chest",),)).plans(tmp_path)


def test_reads_the_reports_of_others(shared_data: Path) -> None:
    read = read_features(shared_data / "real/dcmqi_examples/sr-example/sr.dcm")
    assert len(read) == 22
    assert read.loc[0, ["value", "unit", "SegmentNumber"]].tolist() == [6.01529, "{SUVbw}g/ml", 1]
    for name in ("sr_document.dcm", "sr_document_with_multiple_groups.dcm"):
        assert len(read_features(shared_data / "real/highdicom_examples" / name)) > 0


def test_a_file_that_is_no_report_is_an_error_that_names_it(annotated: Annotated, tmp_path: Path) -> None:
    with pytest.raises(UnusableReportError, match=r"seg\.dcm: is no measurement report"):
        read_regions(annotated.seg)
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(UnusableReportError, match=r"text\.dcm"):
        read_features(tmp_path / "text.dcm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pyradiomics 3.0.1", Software("pyradiomics", "3.0.1")),
        ("bpreg 1.1.0, torch 2.15.0", Software("bpreg", "1.1.0")),
        ("ours", Software("ours", "unknown")),
    ],
)
def test_what_observed_is_the_software_that_is_named_first(text: str, expected: Software) -> None:
    assert Software.parse(text) == expected
