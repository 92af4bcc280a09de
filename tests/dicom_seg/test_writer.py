import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ct_assets.ct_nifti.segmentation import read_seg
from ct_assets.dicom.codes import organ_codes
from ct_assets.dicom.series import CtSeries, InconsistentSeriesError
from ct_assets.dicom.source import UNKNOWN_DATE
from ct_assets.dicom.validators import ValidationOutcome, validate_dicom
from ct_assets.dicom.written import read_objects
from ct_assets.provenance import DEMONSTRATION_NOTICE
from tests.dicom_seg.examples import (
    AORTA,
    TRACHEA,
    Example,
    demo_provenance,
    label_map_by_dcmqi,
    label_map_record,
    with_headers,
)


def test_dciodvfy_dcmqi_and_our_reader_agree_on_every_geometry(example: Example, tmp_path: Path) -> None:
    path = tmp_path / "seg.dcm"
    example.write(path)
    validation = validate_dicom(path)
    assert validation.outcome is ValidationOutcome.ACCEPTED, validation
    np.testing.assert_array_equal(label_map_by_dcmqi(path, example.record, tmp_path / "dcmqi"), example.labels)
    np.testing.assert_array_equal(read_seg(path, example.record), example.labels)


def test_every_frame_lies_where_the_instance_that_it_refers_to_lies(example: Example, tmp_path: Path) -> None:
    example.write(tmp_path / "seg.dcm")
    origins = {instance.sop_instance_uid: instance.origin for instance in example.series.instances}
    for frame in pydicom.dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence:
        sources = frame.DerivationImageSequence[0].SourceImageSequence
        assert len(sources) == 1
        position = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        np.testing.assert_allclose(position, origins[sources[0].ReferencedSOPInstanceUID], atol=1e-4)


def test_describes_four_segments_whose_number_is_the_label_and_omits_empty_frames(
    axial: Example, axial_seg: Path
) -> None:
    dataset = pydicom.dcmread(axial_seg)
    described = {
        int(s.SegmentNumber): s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in dataset.SegmentSequence
    }
    assert described == {label: organ.site.value for label, organ in organ_codes().items()}
    assert [s.SegmentLabel for s in dataset.SegmentSequence] == ["Esophagus", "Heart", "Trachea", "Aorta"]
    groups = dataset.PerFrameFunctionalGroupsSequence
    frames = [int(g.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for g in groups]
    expected = [int(np.any(axial.labels == label, axis=(0, 1)).sum()) for label in organ_codes()]
    assert [frames.count(label) for label in organ_codes()] == expected
    assert expected[TRACHEA - 1] == 0
    assert expected[AORTA - 1] == 1


def test_names_model_and_warns_of_demonstration(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(axial_seg)
    assert dataset.SeriesDescription == "3d_fullres-tta_nnU-Net_Segmentation (demonstration model)"
    assert dataset.ContentDescription == DEMONSTRATION_NOTICE
    assert (dataset.SeriesNumber, dataset.BodyPartExamined, dataset.Manufacturer) == (42, "CHEST", "ct-assets")
    algorithm = dataset.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert "demonstration" in algorithm.AlgorithmName
    assert axial.seg_record.provenance.weights_digest in algorithm.AlgorithmParameters
    assert str(dataset.PatientName) == "Doe^Jane"
    real = demo_provenance(demonstration=False, configuration="2d", tta=False)
    record = label_map_record(axial.record, real)
    dataclasses.replace(axial, seg_record=record).write(tmp_path / "real.dcm")
    dataset = pydicom.dcmread(tmp_path / "real.dcm")
    assert dataset.SeriesDescription == "2d-no_tta_nnU-Net_Segmentation"
    assert dataset.SegmentSequence[0].SegmentAlgorithmName == "2d-no_tta_nnU-Net"
    assert b"demonstration" not in (tmp_path / "real.dcm").read_bytes()


def test_equal_input_gives_equal_bytes_and_any_change_a_new_object(
    axial: Example, axial_seg: Path, tmp_path: Path
) -> None:
    def uids(name: str, example: Example) -> tuple[str, str]:
        example.write(tmp_path / name)
        dataset = pydicom.dcmread(tmp_path / name)
        return dataset.SOPInstanceUID, dataset.SeriesInstanceUID

    first = uids("again.dcm", axial)
    assert (tmp_path / "again.dcm").read_bytes() == axial_seg.read_bytes()
    other_weights = label_map_record(axial.record, demo_provenance(weights_digest="f" * 64))
    labels = axial.labels.copy()
    labels[5, 5, 5] = AORTA
    second = uids("weights.dcm", dataclasses.replace(axial, seg_record=other_weights))
    third = uids("labels.dcm", dataclasses.replace(axial, labels=labels))
    assert len({*first, *second, *third}) == 6


def test_slices_are_matched_by_instance_and_not_by_rank(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    affine = np.asarray(axial.record.affine)
    reverse = affine @ [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, len(axial.record.slices) - 1], [0, 0, 0, 1]]
    backwards = axial.record.model_copy(
        update={"slices": axial.record.slices[::-1], "affine": tuple(map(tuple, reverse.tolist()))}
    )
    turned = dataclasses.replace(axial, record=backwards, labels=axial.labels[:, :, ::-1])
    turned.write(tmp_path / "seg.dcm")
    for path in (tmp_path / "seg.dcm", axial_seg):
        np.testing.assert_array_equal(read_seg(path, axial.record), axial.labels)
        np.testing.assert_array_equal(read_seg(path, backwards), turned.labels)


def test_no_organ_at_all_gives_no_seg_and_a_recorded_reason(axial: Example, tmp_path: Path) -> None:
    first = axial.write(tmp_path / "seg.dcm")
    empty = dataclasses.replace(axial, labels=np.zeros_like(axial.labels))
    empty.write(tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()
    (written,) = read_objects(tmp_path / "seg.json").values()
    assert written.absent == "the label map holds no organ"
    assert first.reference is not None
    assert written.replaces == (first.reference.sop_instance_uid,)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((3, 3, 3), dtype=np.uint8), "ct.nii.gz has"),
        (np.ones((23, 38, 12), dtype=np.int16), "int16"),
        (np.full((23, 38, 12), 5, dtype=np.uint8), "label 5"),
    ],
)
def test_refuses_labels_that_do_not_fit(axial: Example, tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(axial, labels=labels).write(tmp_path / "seg.dcm")


def test_source_without_optional_attributes(axial: Example, tmp_path: Path) -> None:
    absent = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"]
    absent += ["StudyTime", "ReferringPhysicianName", "Manufacturer", "SliceThickness", "FrameOfReferenceUID"]
    series = with_headers(axial.series, **dict.fromkeys(absent))
    dataclasses.replace(axial, series=series).write(tmp_path / "seg.dcm")
    assert validate_dicom(tmp_path / "seg.dcm").outcome is ValidationOutcome.ACCEPTED
    assert pydicom.dcmread(tmp_path / "seg.dcm").ContentDate == UNKNOWN_DATE
    np.testing.assert_array_equal(
        read_seg(tmp_path / "seg.dcm", axial.record.model_copy(update={"frame_of_reference_uid": None})), axial.labels
    )


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_values_that_no_object_may_carry_are_dropped(axial: Example, tmp_path: Path) -> None:
    series = with_headers(axial.series, PatientSex="X", PatientBirthDate="1950", SpecificCharacterSet="ISO_IR 999")
    dataclasses.replace(axial, series=series).write(tmp_path / "seg.dcm")
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (dataset.PatientSex, dataset.PatientBirthDate, dataset.SpecificCharacterSet) == ("", "", "ISO_IR 192")


def test_no_warning_quotes_the_patient(axial: Example, tmp_path: Path) -> None:
    series = with_headers(axial.series, PatientName="Confidential")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataclasses.replace(axial, series=series).write(tmp_path / "seg.dcm")
    assert not [warning for warning in caught if "Confidential" in str(warning.message)]
    assert str(pydicom.dcmread(tmp_path / "seg.dcm").PatientName) == "Confidential"
    said = validate_dicom(tmp_path / "seg.dcm")
    assert any("PatientName" in warning for warning in said.warnings)
    assert "Confidential" not in repr(said)


def test_the_source_headers_stay_as_they_are(axial: Example, tmp_path: Path) -> None:
    before = [instance.header.to_json() for instance in axial.series.instances]
    axial.write(tmp_path / "seg.dcm")
    assert [instance.header.to_json() for instance in axial.series.instances] == before


def test_a_series_that_lacks_instances_is_refused(axial: Example, tmp_path: Path) -> None:
    incomplete = CtSeries(axial.series.instances[1:])
    with pytest.raises(InconsistentSeriesError, match="lacks 1 of the instances"):
        dataclasses.replace(axial, series=incomplete).write(tmp_path / "seg.dcm")


def test_a_record_of_another_series_is_refused(axial: Example, tmp_path: Path) -> None:
    other = axial.record.model_copy(update={"series_instance_uid": "1.2.3"})
    with pytest.raises(ValueError, match=r"given for series 1\.2\.3"):
        dataclasses.replace(axial, record=other).write(tmp_path / "seg.dcm")
