"""The demo collection: what is in it, what is wrong with the unfit series, and that it is made the same every time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pydicom
import pytest

from ct_assets.demo.collection import CASES, STAMP, case_phantom, make_collection, write_case
from ct_assets.demo.expert import SEGMENT_LABELS, expert_masks
from ct_assets.demo.organs import HEART

if TYPE_CHECKING:
    from pathlib import Path

FIT = [case for case in CASES if case.fit]


def headers(collection: Path, number: int) -> list[pydicom.Dataset]:
    files = sorted((collection / f"DEMO-{number:03d}" / "CT").iterdir())
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in files]


def positions(series: list[pydicom.Dataset]) -> np.ndarray:
    return np.array([[float(v) for v in ds.ImagePositionPatient] for ds in series])


def normal(ds: pydicom.Dataset) -> np.ndarray:
    axes = np.array([float(v) for v in ds.ImageOrientationPatient])
    return np.cross(axes[:3], axes[3:])


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.dcm"))
    }


def dciodvfy_errors(path: Path) -> list[str]:
    tool = shutil.which("dciodvfy")
    assert tool, "dciodvfy is not installed: apt-get install dicom3tools"
    done = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


def test_nine_series_of_nine_patients(collection):
    found = {}
    for path in collection.glob("*/CT/*.dcm"):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        assert ds.PatientID == path.parent.parent.name
        found.setdefault(ds.SeriesInstanceUID, ds.PatientID)
    assert sorted(found.values()) == [f"DEMO-{i:03d}" for i in range(1, 10)]
    assert sorted(p.parent.parent.name for p in collection.glob("*/SEG/expert.dcm")) == [
        case.patient_id for case in FIT
    ]


def test_same_seed_same_bytes(collection, tmp_path):
    for case in (CASES[0], CASES[5], CASES[8]):
        write_case(tmp_path / case.patient_id, case, 20200)
        assert digests(tmp_path / case.patient_id) == digests(collection / case.patient_id)


def test_made_only_once_and_never_over_other_files(collection, tmp_path):
    before = (collection / STAMP).stat().st_mtime_ns
    assert make_collection(collection) == collection
    assert (collection / STAMP).stat().st_mtime_ns == before
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no demo collection"):
        make_collection(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_half_made_is_left(collection):
    assert [p.name for p in collection.parent.iterdir()] == [collection.name]


@pytest.mark.parametrize("case", FIT, ids=lambda case: case.patient_id)
def test_fit_series_are_regular(collection, case):
    series = headers(collection, case.number)
    along = positions(series) @ normal(series[0])
    steps = np.diff(along)
    assert np.allclose(steps, steps[0], atol=1e-3)
    assert (steps[0] < 0) == (case.kind == "reversed")
    assert len({ds.SOPInstanceUID for ds in series}) == len(series)
    assert 55 <= len(series) <= 115


def test_pixels_are_the_phantom(collection):
    phantom = case_phantom(CASES[0])
    ds = pydicom.dcmread(collection / "DEMO-001" / "CT" / "IM0031.dcm")
    hu = ds.pixel_array.astype(int) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
    assert np.array_equal(hu, phantom.hu[30])
    assert float(ds.ImagePositionPatient[2]) == pytest.approx(phantom.grid.z[30])


def test_one_scan_ends_below_the_lung_apex(collection):
    short = []
    for case in FIT:
        top = positions(headers(collection, case.number))[:, 2].max()
        missing = case_phantom(case).landmarks["lung_end"] - top
        if missing > 0:
            short.append(case.patient_id)
            assert missing > 30
    assert short == ["DEMO-005"]


def test_one_expert_is_wrong(collection):
    for case in (CASES[2], CASES[5]):
        phantom = case_phantom(case)
        seg = highdicom.seg.segread(collection / case.patient_id / "SEG" / "expert.dcm")
        assert [item.SegmentLabel for item in seg.SegmentSequence] == list(SEGMENT_LABELS)
        assert seg.SeriesDescription == "Segmentation"
        uids = {float(ds.ImagePositionPatient[2]): ds.SOPInstanceUID for ds in headers(collection, case.number)}
        in_order = [uids[z] for z in sorted(uids)]
        heart = seg.get_pixels_by_source_instance(in_order, segment_numbers=[1])[..., 0] > 0
        truth = phantom.labels == HEART
        dice = 2 * (heart & truth).sum() / (heart.sum() + truth.sum())
        assert dice < 0.58 if case.kind == "misdrawn" else dice == 1.0


def test_shift_of_the_wrong_expert_is_20_to_25_mm():
    phantom = case_phantom(CASES[5])
    masks = [expert_masks(phantom)[..., 0], expert_masks(phantom, shift=17.5)[..., 0]]
    centres = [np.argwhere(mask).mean(0) * phantom.spacing for mask in masks]
    assert 20 <= np.linalg.norm(centres[1] - centres[0]) <= 26


def test_unfit_localizer(collection):
    series = headers(collection, 7)
    assert len(series) == 2
    assert all("LOCALIZER" in ds.ImageType for ds in series)


def test_unfit_gap(collection):
    series = headers(collection, 8)
    steps = np.diff(positions(series)[:, 2])
    assert np.isclose(steps.max(), 2 * steps.min())
    assert int((~np.isclose(steps, steps.min())).sum()) == 1


def test_unfit_tilt(collection):
    series = headers(collection, 9)
    travel = np.diff(positions(series), axis=0)
    along = travel @ normal(series[0])
    sideways = np.linalg.norm(travel - along[:, None] * normal(series[0]), axis=1)
    assert np.all(sideways > 0.5), "the slices are displaced in their plane"
    assert np.allclose(travel[:, :2], 0), "the table moves along z only"


@pytest.mark.parametrize(
    "name", ["DEMO-001/CT/IM0005.dcm", "DEMO-007/CT/IM0001.dcm", "DEMO-009/CT/IM0005.dcm", "DEMO-003/SEG/expert.dcm"]
)
def test_dciodvfy_finds_no_error(collection, name):
    assert dciodvfy_errors(collection / name) == []
