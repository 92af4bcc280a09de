"""Independent tools accept and read the reports."""

import json
from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom.codes import organ_codes
from ct_assets.dicom.validators import Validation, ValidationOutcome, validate_dicom
from tests.dicom_seg.examples import GEOMETRIES, dcmqi, make_example, write_ct
from tests.dicom_sr.conftest import REPORTS, SPECIAL, Annotated, annotate


@pytest.mark.parametrize("name", REPORTS)
def test_dciodvfy_finds_no_error(reports: dict[str, Path], name: str) -> None:
    validation = validate_dicom(reports[name])
    assert validation.outcome is ValidationOutcome.ACCEPTED, validation


@pytest.mark.parametrize("name", SPECIAL)
def test_dciodvfy_finds_no_error_in_a_special_report(special_reports: dict[str, Path], name: str) -> None:
    validation = validate_dicom(special_reports[name])
    assert validation.outcome is ValidationOutcome.ACCEPTED, validation


@pytest.mark.parametrize("name", [*REPORTS, *(f"special {name}" for name in SPECIAL)])
def test_pixelmed_completes_without_error_or_warning(pixelmed: dict[str, Validation], name: str) -> None:
    validation = pixelmed[name]
    assert validation.outcome is ValidationOutcome.ACCEPTED, validation
    assert validation.warnings == ()


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_dciodvfy_finds_no_error_in_any_geometry(tmp_path: Path, geometry: str) -> None:
    example = make_example(write_ct(tmp_path / "dicom", GEOMETRIES[geometry]), tmp_path / "series")
    for path in annotate(example, tmp_path).write(tmp_path).values():
        validation = validate_dicom(path)
        assert validation.outcome is ValidationOutcome.ACCEPTED, validation


def test_reports_of_a_source_that_has_almost_no_optional_attribute(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "real/ibsi_lung_ct/dicom/image").glob("*.dcm"))
    for path in annotate(make_example(files, tmp_path / "series"), tmp_path).write(tmp_path).values():
        validation = validate_dicom(path)
        assert validation.outcome is ValidationOutcome.ACCEPTED, validation
        assert pydicom.dcmread(path).ContentDate == "20160804"


def test_dcmqi_reads_the_values(annotated: Annotated, reports: dict[str, Path], tmp_path: Path) -> None:
    dcmqi("tid1500reader", "--inputDICOM", reports["features"], "--outputMetadata", tmp_path / "features.json")
    groups = json.loads((tmp_path / "features.json").read_text())["Measurements"]
    seg = pydicom.dcmread(annotated.seg, stop_before_pixels=True)
    rows = annotated.features[annotated.features["model"] == "3d_fullres"].dropna(subset="value")
    assert [group["ReferencedSegment"] for group in groups] == [1, 2, 4]
    for group in groups:
        label = group["ReferencedSegment"]
        assert group["segmentationSOPInstanceUID"] == seg.SOPInstanceUID
        assert group["SourceSeriesForImageSegmentation"] == annotated.example.series.series_instance_uid
        assert group["FindingSite"]["CodeValue"] == organ_codes()[label].site.value
        read = {item["quantity"]["CodeValue"]: item for item in group["measurementItems"]}
        expected = rows[rows["label"] == label].set_index("code")
        assert list(read) == list(expected.index)
        assert {code: float(item["value"]) for code, item in read.items()} == pytest.approx(
            expected["value"].to_dict(), rel=1e-9
        )
        assert {code: item["units"]["CodeValue"] for code, item in read.items()} == expected["unit"].to_dict()
