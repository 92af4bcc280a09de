"""Benchmark of the DICOM objects: our SEG and SR beside dcmqi's, on one CT of 512 by 512 by 200 and four organs.

Run by `make bench-dicom`; prints one JSON line last. Seconds are CPU seconds, user and system, medians of runs in turn.
Ours run in a warm process, from the label map's file (gzipped NIfTI) and the CT's headers already read, as in the
pipeline, which reads no header twice; the figures with the headers' reading are logged too. dcmqi's are whole
processes, because that is all it offers: they start, and read the CT and the label map (NRRD, not compressed).
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK

from benchmarks import dcmqi
from benchmarks.dicom_input import SPACING_MM, Scan, features, landmarks, provenance, slice_regions
from ct_assets.ct_nifti.segmentation import read_seg
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.dicom.codes import feature_codes, organ_codes
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.written import PlannedObject, write_objects
from ct_assets.dicom_seg.writer import plan_seg
from ct_assets.dicom_sr.features import plan_features_sr
from ct_assets.dicom_sr.landmarks import plan_landmarks_sr
from ct_assets.dicom_sr.read import read_report
from ct_assets.dicom_sr.regions import plan_regions_sr
from ct_assets.dicom_sr.rows import quantitative_rows
from ct_assets.dicom_sr.segments import model_segments

CORES = 2
SLICES = 200
LONG_SLICES = 600
REPETITIONS = 5
ROUNDED_WITHIN = 6e-4

Figures = dict[str, float]


def main() -> None:
    """Time both in turn and print the figures."""
    warnings.simplefilter("ignore")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-dicom-") as scratch:
        folder = Path(scratch)
        scan = Scan.make(folder, SLICES)
        _log_input(scan)
        series = CtSeries.read(scan.files)
        seg = _seg(scan, series, folder)
        sr = _sr(scan, series, folder)
        figures = {**seg, **sr, **_memory(folder)}
    print(json.dumps(figures))


def _log_input(scan: Scan) -> None:
    labels = load_label_map(scan.label_map)
    for organ in organ_codes().values():
        mask = labels == organ.label
        millilitres = np.count_nonzero(mask) * np.prod(SPACING_MM) / 1000
        print(f"{organ.name}: {millilitres:.0f} mL on {np.count_nonzero(mask.any(axis=(0, 1)))} slices")


def _seg(scan: Scan, series: CtSeries, folder: Path) -> Figures:
    paths = {name: folder / name / "seg.dcm" for name in ("ours", "ours deflated", "dcmqi", "dcmqi deflated")}
    for path in paths.values():
        path.parent.mkdir()
    nrrd = folder / "labels.nrrd"
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(scan.label_map)), str(nrrd))
    metadata = dcmqi.write_seg_metadata(folder / "seg.json")

    def ours(source: CtSeries, target: Path, *, deflate: bool = False) -> None:
        labels = load_label_map(scan.label_map)
        _write(plan_seg(lambda: source, scan.record, labels, scan.seg_record, target, deflate=deflate))

    def peer(target: Path, *more: object) -> float:
        arguments = dcmqi.seg_arguments(nrrd, scan.files[0].parent, metadata, target)
        return dcmqi.cpu_seconds("itkimage2segimage", *arguments, *more)

    seconds = _in_turn(
        {
            "SEG, ours": _own(lambda: ours(series, paths["ours"])),
            "SEG, ours, deflated": _own(lambda: ours(series, paths["ours deflated"], deflate=True)),
            "SEG, ours, with reading the headers": _own(lambda: ours(CtSeries.read(scan.files), paths["ours"])),
            f"SEG, dcmqi {dcmqi.version()}": lambda: peer(paths["dcmqi"]),
            f"SEG, dcmqi {dcmqi.version()}, deflated": lambda: peer(paths["dcmqi deflated"], "--compress", "deflate"),
        }
    )
    mine, _, _, theirs, _ = seconds.values()
    sizes = {name: _checked(path, scan).stat().st_size for name, path in paths.items()}
    print("SEG files that hold the same label map, bytes:", sizes)
    return {
        "seg_cpu_seconds": round(mine, 3),
        "seg_cpu_ratio_vs_dcmqi": round(mine / theirs, 2),
        "seg_deflated_file_ratio_vs_dcmqi": float(f"{sizes['ours deflated'] / sizes['dcmqi']:.2g}"),
    }


def _write(plan: PlannedObject) -> None:
    """Write one object with its record, as its asset does with all of a series."""
    write_objects([plan], plan.target.with_suffix(".json"))


def _checked(path: Path, scan: Scan) -> Path:
    if not np.array_equal(read_seg(path, scan.record), load_label_map(scan.label_map)):
        sys.exit(f"{path} does not hold the label map")
    return path


def _sr(scan: Scan, series: CtSeries, folder: Path) -> Figures:
    """Time the reports; dcmqi's refers to dcmqi's SEG, and states its values with three decimals."""
    table, places, regions = features(scan), landmarks(scan.record), slice_regions(scan.record)
    scores = provenance("bpr", "bpreg 1.1.0")
    long = Scan.make(folder / "long", LONG_SLICES)
    long_series, long_regions = CtSeries.read(long.files), slice_regions(long.record)
    seg, peer_seg = folder / "ours/seg.dcm", folder / "dcmqi/seg.dcm"
    metadata = dcmqi.write_sr_metadata(folder / "sr.json", table, peer_seg, series)
    peer = dcmqi.sr_arguments(scan.files[0].parent, peer_seg, metadata, folder / "dcmqi_sr.dcm")

    def ours(source: CtSeries) -> None:
        model = scan.seg_record
        segments = model_segments(seg, scan.record, model.label_map_digest)
        target = folder / "features.dcm"
        _write(plan_features_sr(lambda: source, scan.record, table, segments, model.provenance, target))

    def landmarks_report() -> None:
        _write(plan_landmarks_sr(lambda: series, scan.record, places, scores, folder / "landmarks.dcm"))

    def regions_report(source: CtSeries, of: Scan, regions: Sequence[Sequence[str]]) -> None:
        _write(plan_regions_sr(lambda: source, of.record, regions, scores, folder / "regions.dcm"))

    seconds = _in_turn(
        {
            "features SR, ours": _own(lambda: ours(series)),
            "features SR, ours, with reading the headers": _own(lambda: ours(CtSeries.read(scan.files))),
            f"features SR, dcmqi {dcmqi.version()}": lambda: dcmqi.cpu_seconds("tid1500writer", *peer),
            f"landmarks SR, {SLICES} groups, ours": _own(landmarks_report),
            f"regions SR, {SLICES} groups, ours": _own(lambda: regions_report(series, scan, regions)),
            f"regions SR, {LONG_SLICES} groups, ours": _own(lambda: regions_report(long_series, long, long_regions)),
        }
    )
    _compare_values(folder / "features.dcm", folder / "dcmqi_sr.dcm")
    return {"sr_cpu_seconds": round(seconds["features SR, ours"], 3)}


def _compare_values(ours: Path, theirs: Path) -> None:
    both = [
        {
            (row["findingSite"]["CodeValue"], row["Quantity"]["CodeValue"]): row["Value"]
            for row in quantitative_rows(read_report(path))
        }
        for path in (ours, theirs)
    ]
    complete = both[0].keys() == both[1].keys() and len(both[0]) == len(organ_codes()) * len(feature_codes())
    if not complete or any(abs(value - both[1][key]) >= ROUNDED_WITHIN for key, value in both[0].items()):
        sys.exit(f"the reports of the features do not hold the same values: {both}")


def _memory(folder: Path) -> Figures:
    nrrd, metadata, target = folder / "labels.nrrd", folder / "seg.json", folder / "memory.dcm"
    ct_folder = Scan.open(folder).files[0].parent
    ours = _peak("ours", folder)
    theirs = _peak("dcmqi", dcmqi.program("itkimage2segimage"), *dcmqi.seg_arguments(nrrd, ct_folder, metadata, target))
    print(f"SEG, extra memory: ours {ours / 1e9:.3f} GB; whole process of dcmqi {theirs / 1e9:.3f} GB")
    return {"seg_peak_gb": round(ours / 1e9, 3)}


def _peak(*arguments: object) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.seg_memory", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout)


def _own(call: Callable[[], None]) -> Callable[[], float]:
    """Return a call that answers with this process's CPU seconds."""

    def timed() -> float:
        gc.collect()  # what the runs before left behind is not this one's
        started = time.process_time()
        call()
        return time.process_time() - started

    return timed


def _in_turn(calls: Mapping[str, Callable[[], float]]) -> Figures:
    """Run each once to warm it, then all of them in turn; log and return the medians."""
    for call in calls.values():
        call()
    rounds = [{name: call() for name, call in calls.items()} for _ in range(REPETITIONS)]
    medians = {name: statistics.median(row[name] for row in rounds) for name in calls}
    for name, median in medians.items():
        print(f"{name}: median {median:.3f} s CPU of {[round(row[name], 3) for row in rounds]}")
    return medians


if __name__ == "__main__":
    main()
