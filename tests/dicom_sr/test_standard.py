"""Independent tools accept and read the reports."""

import json
import re
import subprocess
from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom.codes import landmark_codes, organ_codes, region_codes
from ct_assets.dicom.validators import Validation, ValidationOutcome, validate_dicom
from tests.dicom_seg.examples import EXAMPLES, dcmqi, make_example, write_example
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_dciodvfy_and_dcmqi_take_the_reports_of_any_geometry(name: str, tmp_path: Path, shared_data: Path) -> None:
    annotated = annotate(write_example(name, tmp_path, shared_data), tmp_path)
    paths = annotated.write(tmp_path / "reports")
    for path in paths.values():
        validation = validate_dicom(path)
        assert validation.outcome is ValidationOutcome.ACCEPTED, validation
    _dcmqi_reads_the_values(annotated, paths["features"], tmp_path / "features.json")


def test_reports_of_a_source_that_has_almost_no_optional_attribute(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "real/ibsi_lung_ct/dicom/image").glob("*.dcm"))
    for path in annotate(make_example(files, tmp_path / "series"), tmp_path).write(tmp_path).values():
        validation = validate_dicom(path)
        assert validation.outcome is ValidationOutcome.ACCEPTED, validation
        assert pydicom.dcmread(path).ContentDate == "20160804"


def _dcmqi_reads_the_values(annotated: Annotated, report: Path, target: Path) -> None:
    dcmqi("tid1500reader", "--inputDICOM", report, "--outputMetadata", target)
    groups = json.loads(target.read_text())["Measurements"]
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


def _dumped(path: Path) -> str:
    """What DCMTK says that a report says."""
    done = subprocess.run(["dsrdump", "+Pc", str(path)], capture_output=True, text=True, check=True)
    assert "E:" not in done.stderr
    return done.stdout


def test_dsrdump_shows_names_values_and_units(annotated: Annotated, reports: dict[str, Path]) -> None:
    dump = _dumped(reports["features"])
    rows = annotated.features[annotated.features["model"] == "3d_fullres"].dropna(subset="value")
    found = [
        (match.group(1), float(match.group(2)), match.group(3))
        for match in re.finditer(r'NUM:\((\w+),IBSI,"[^"]*"\)="([^"]*)" \(([^,]+),UCUM', dump)
    ]
    assert [(code, unit) for code, _, unit in found] == list(zip(rows["code"], rows["unit"], strict=True))
    assert [value for _, value, _ in found] == pytest.approx(rows["value"].tolist(), rel=1e-9)
    for organ in ("Esophagus", "Heart", "Aorta"):
        assert f'"{organ}")' in dump


@pytest.mark.parametrize("name", ["landmarks", "regions"])
def test_dsrdump_shows_every_finding_site(annotated: Annotated, reports: dict[str, Path], name: str) -> None:
    dump = _dumped(reports[name])
    sites = re.findall(r'CODE:\(363698007,SCT,"Finding Site"\)=\((\w+),SCT', dump)
    if name == "landmarks":
        located = annotated.landmarks[annotated.landmarks["located"]]["landmark"]
        assert sorted(sites) == sorted(landmark_codes()[landmark].site.value for landmark in located)
        assert dump.count("Topographical modifier") == len(located) - 1, "all but the kidney"
    else:
        expected = [region_codes()[region].site.value for regions in annotated.slice_regions for region in regions]
        assert sorted(sites) == sorted(expected)
