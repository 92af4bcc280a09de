"""The check of the SRs names what differs and every foreign reference, with the SR and the count."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom_sr import compare
from ct_assets.dicom_sr.compare import differences
from ct_assets.dicom_sr.tables import write_measurement_tables
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES
from tests.dicom_sr.conftest import Annotated
from tests.dicom_sr.stored import MODEL, store

FOREIGN = "1.2.826.0.1.3680043.2.1125.1"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def folder(small: Annotated, tmp_path: Path) -> SeriesFolder:
    return store(small, tmp_path)


def edit(path: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    """Change an SR, and write the tables again, which are then not what is wrong."""
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    write_measurement_tables(SeriesFolder(path.parent.parent))


def evidence(*uids: str) -> list[pydicom.Dataset]:
    """Evidence of one study and series."""
    study, series = pydicom.Dataset(), pydicom.Dataset()
    study.StudyInstanceUID = series.SeriesInstanceUID = "1.2.3"
    series.ReferencedSOPSequence = []
    for uid in uids:
        instance = pydicom.Dataset()
        instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = CT_IMAGE, uid
        series.ReferencedSOPSequence.append(instance)
    study.ReferencedSeriesSequence = [series]
    return [study]


def group(dataset: pydicom.Dataset) -> pydicom.Dataset:
    measurements = next(i for i in dataset.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    return measurements.ContentSequence[0]


def test_nothing_differs(folder):
    assert differences(folder, (MODEL,)) == []


def test_every_file_is_read_once(folder, monkeypatch):
    read = []
    monkeypatch.setattr(
        compare, "read_report", lambda path, real=compare.read_report: (read.append(path), real(path))[1]
    )
    differences(folder, (MODEL,))
    assert sorted(read) == folder.reports
    assert len(read) == 3


def test_an_image_in_the_content_that_is_not_in_the_ct(folder):
    def change(dataset: pydicom.Dataset) -> None:
        image = next(item for item in group(dataset).ContentSequence if item.ValueType == "IMAGE")
        image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = FOREIGN

    edit(folder.regions_sr, change)
    assert differences(folder, (MODEL,)) == [
        "regions.dcm: regions differ from the slice regions",
        "regions.dcm: refers to 1 instances that are neither in the CT nor its SEGs",
    ]


@pytest.mark.parametrize("keyword", ["CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"])
@pytest.mark.parametrize("name", ["features", "landmarks", "regions"])
def test_evidence_that_is_not_in_the_ct(folder, keyword, name):
    path = {"features": folder.features_sr(MODEL), "landmarks": folder.landmarks_sr, "regions": folder.regions_sr}[name]

    def change(dataset: pydicom.Dataset) -> None:
        setattr(dataset, keyword, [*dataset.get(keyword, []), *evidence(FOREIGN, FOREIGN + ".1")])

    edit(path, change)
    assert differences(folder, (MODEL,)) == [
        f"{path.name}: refers to 2 instances that are neither in the CT nor its SEGs"
    ]


def test_a_document_that_is_replaced_may_be_referred_to(folder):
    def change(dataset: pydicom.Dataset) -> None:
        dataset.PredecessorDocumentsSequence = evidence(FOREIGN)
        dataset.PertinentOtherEvidenceSequence = evidence(FOREIGN)

    edit(folder.landmarks_sr, change)
    assert differences(folder, (MODEL,)) == []


def test_a_segment_of_a_seg_that_is_not_in_the_store(folder):
    folder.seg(MODEL).unlink()
    [problem] = differences(folder, (MODEL,))
    assert problem.startswith(f"{MODEL}_features.dcm: refers to 1 instances")


def test_the_experts_sr_alone_may_refer_to_the_experts_segs(folder, tmp_path):
    seg = tmp_path / "expert.dcm"
    shutil.move(folder.seg(MODEL), seg)
    features = SHAPE_FEATURES.read(folder.shape_features)
    SHAPE_FEATURES.write(features.assign(model="expert"), folder.shape_features)
    folder.features_sr(MODEL).rename(folder.features_sr("expert"))
    write_measurement_tables(folder)
    (tmp_path / "notes.txt").write_text("no DICOM")
    assert differences(folder, (), {"expert": [tmp_path / "notes.txt", tmp_path / "gone.dcm", seg]}) == []
    [problem] = differences(folder, (), {"other": [seg]})
    assert problem.startswith("expert_features.dcm: refers to 1 instances")
    assert differences(folder, ("expert",), {"expert": [seg]}) == []
    folder.features_sr("expert").unlink()
    write_measurement_tables(folder)
    assert differences(folder, (), {"expert": [seg]}) == []
    assert differences(folder, ("expert",), {"expert": [seg]}) == ["expert_features.dcm is missing"]


def test_segments_of_another_series(folder):
    def change(dataset: pydicom.Dataset) -> None:
        source = next(
            item
            for item in group(dataset).ContentSequence
            if item.ConceptNameCodeSequence[0].CodeValue == "121232"
        )  # fmt: skip
        source.UID = FOREIGN

    edit(folder.features_sr(MODEL), change)
    assert differences(folder, (MODEL,)) == [f"{MODEL}_features.dcm: measures segments of 1 other series"]


def test_values_that_differ(folder):
    def change(dataset: pydicom.Dataset) -> None:
        item = next(item for item in group(dataset).ContentSequence if item.ValueType == "NUM")
        item.MeasuredValueSequence[0].FloatingPointValue = 1234.5

    edit(folder.features_sr(MODEL), change)
    assert differences(folder, (MODEL,)) == [f"{MODEL}_features.dcm: values differ from the table"]


def test_a_value_less_and_landmarks_more(folder):
    def change(dataset: pydicom.Dataset) -> None:
        items = group(dataset).ContentSequence
        items.remove(next(item for item in items if item.ValueType == "NUM"))

    edit(folder.features_sr(MODEL), change)
    landmarks = LANDMARKS.read(folder.landmarks)
    LANDMARKS.write(
        landmarks.assign(located=landmarks["SOPInstanceUID"].notna() & (landmarks.index > 9)), folder.landmarks
    )
    values = int(SHAPE_FEATURES.read(folder.shape_features)["value"].notna().sum())
    assert differences(folder, (MODEL,)) == [
        f"{MODEL}_features.dcm: holds {values - 1} values, the table {values}",
        "landmarks.dcm: landmarks differ from the table",
    ]


def test_missing_and_damaged_reports_are_named_once(folder):
    folder.regions_sr.unlink()
    folder.landmarks_sr.write_bytes(folder.landmarks_sr.read_bytes()[:3000])
    damaged, missing = differences(folder, (MODEL,))
    assert damaged.startswith(str(folder.landmarks_sr))
    assert missing == "regions.dcm is missing"


def test_tables_that_are_not_what_the_srs_say(folder):
    folder.qualitative_measurements.unlink()
    folder.measurement_groups.write_bytes(b"PAR1")
    before = folder.quantitative_measurements.read_bytes()
    edit(folder.features_sr(MODEL), lambda dataset: setattr(dataset, "PatientID", "OTHER"))
    folder.qualitative_measurements.unlink()
    folder.measurement_groups.write_bytes(b"PAR1")
    folder.quantitative_measurements.write_bytes(before)
    groups, quantitative, qualitative = differences(folder, (MODEL,))
    assert groups.startswith("measurement_groups.parquet: cannot be read")
    assert quantitative == "quantitative_measurements.parquet: is not what the SRs say"
    assert qualitative.startswith("qualitative_measurements.parquet: cannot be read")
