"""Benchmark of the shape features: ours beside pyradiomics', on four organs of SegTHOR's size in 512 by 512 by 200.

Run by `make bench-shape`; prints one JSON line last. Each is measured in a process of its own, one after the other, on
the same label map in memory, until it has all 14 features of the four organs; nothing is read from a file. Each has
measured a small ball before, so start-up is in none.

pyradiomics is called in two ways: as the published pipeline calls it, with the whole image and a mask of each organ,
which gives `speedup_cpu_vs_pyradiomics`; and as favourably as it can be, with every organ cut out and without its notes
on the image, whose ratio is printed before. `peak_gb` is the most memory of ours beyond the label map.
"""

import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import SimpleITK
from scipy import ndimage

from benchmarks.own_memory import PeakMemory
from ct_assets.collection import ShapeEngine
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import ORGANS
from ct_assets.shape_features.measure import measure_organs
from ct_assets.shape_features.organ_mask import organs_of_label_map

SHAPE = (512, 512, 200)
SPACING_MM = (0.98, 0.98, 2.5)
CORES = 2
REPETITIONS = 7
HEART = ((245, 215, 240), (62, 50, 46))
"""Centre and radii of the heart, mm."""

TUBES = {
    1: (((250, 280, 130), (240, 285, 300), (255, 275, 400), (250, 270, 440)), 8),
    3: (((252, 250, 310), (250, 240, 400), (250, 235, 460)), 9),
    4: (((270, 300, 130), (272, 300, 340), (262, 250, 372), (238, 215, 360), (235, 210, 310)), 14),
}
"""Label of the esophagus, the trachea and the aorta: points of the middle line, and radius, mm."""

Labels = npt.NDArray[np.uint8]
Features = dict[tuple[str, str], float]
"""Organ and feature to value."""


@dataclass(frozen=True)
class Measured:
    """What one of them measured: features, seconds of each repetition, and memory beyond the label map."""

    features: Features
    seconds: list[float]
    peak_gb: float


def main() -> None:
    """Measure with each, compare the values, and print the figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    labels = _organs()
    print(f"heart: {_vertices(labels == 2)} vertices of the mesh")
    with tempfile.TemporaryDirectory(prefix="bench-shape-") as scratch:
        file = Path(scratch) / "labels.npy"
        np.save(file, labels)
        ours, cut_out, whole = (_alone(file, one) for one in (_ours, _pyradiomics_cut_out, _pyradiomics_whole))
    for organ in ORGANS.values():
        print(f"{organ}: {ours.features[organ, 'VoxelVolume'] / 1000:.0f} mL")
    seconds = statistics.median(ours.seconds)
    for name, one in {"ours": ours, "pyradiomics, organs cut out": cut_out, "pyradiomics": whole}.items():
        took = statistics.median(one.seconds)
        print(f"{name}: {took:.3f} s, {took / seconds:.1f} times ours, {one.peak_gb:.3f} GB beyond the label map")
    differences = [
        abs(ours.features[key] / value - 1) for peer in (cut_out, whole) for key, value in peer.features.items()
    ]
    figures = {
        "speedup_cpu_vs_pyradiomics": round(whole.seconds[0] / seconds, 1),
        "seconds_four_organs": round(seconds, 3),
        "max_rel_diff": float(f"{max(differences):.2g}"),
        "peak_gb": round(ours.peak_gb, 3),
    }
    print(json.dumps(figures))


def _alone(file: Path, measure: Callable[[Labels], Features]) -> Measured:
    """Measure in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_repeat, file, measure).result()


def _repeat(file: Path, measure: Callable[[Labels], Features]) -> Measured:
    grid = np.indices((12, 12, 12)) - 5.5
    measure(((grid**2).sum(axis=0) < 16).astype(np.uint8))
    labels = np.load(file)
    peak = PeakMemory()
    seconds = []
    for _ in range(REPETITIONS if measure is _ours else 1):
        started = time.perf_counter()
        features = measure(labels)
        seconds.append(time.perf_counter() - started)
    return Measured(features, seconds, peak.bytes() / 1e9)


def _ours(labels: Labels) -> Features:
    return _values(_table(labels, "fast"))


def _pyradiomics_cut_out(labels: Labels) -> Features:
    return _values(_table(labels, "pyradiomics"))


def _table(labels: Labels, engine: ShapeEngine) -> pd.DataFrame:
    affine = np.diag([*SPACING_MM, 1.0])
    organs = organs_of_label_map(labels, ORGANS, affine, "")
    return measure_organs(organs, affine, series_instance_uid="1.2", model="2d", weights_digest=None, engine=engine)


def _values(table: pd.DataFrame) -> Features:
    measured = table[table["value"].notna()]
    return dict(zip(zip(measured["organ"], measured["feature"], strict=True), measured["value"], strict=True))


def _pyradiomics_whole(labels: Labels) -> Features:
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    extractor = RadiomicsFeatureExtractor(minimumROIDimensions=3)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(shape=list(feature_codes()))
    values: Features = {}
    for label, organ in ORGANS.items():
        if not (labels == label).any():
            continue
        mask = SimpleITK.GetImageFromArray((labels == label).T.astype(np.uint8))
        mask.SetSpacing(SPACING_MM)
        result = extractor.execute(mask, mask)
        values |= {(organ, name): float(result[f"original_shape_{name}"]) for name in feature_codes()}
    return values


def _organs() -> Labels:
    """Draw a bumpy ellipsoid as heart, and tubes as esophagus, trachea and aorta, in the order of NIfTI in memory."""
    labels = np.zeros(SHAPE, dtype=np.uint8, order="F")
    rng = np.random.default_rng(1)
    axes = [np.arange(length) * step for length, step in zip(SHAPE, SPACING_MM, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    bumps = ndimage.gaussian_filter(rng.standard_normal(SHAPE, dtype=np.float32), [4 / step for step in SPACING_MM])
    bumps *= 0.07 / bumps.std()
    squares = sum(((axis - middle) / radius) ** 2 for axis, middle, radius in zip(grid, *HEART, strict=True))
    labels[squares < (1 + bumps) ** 2] = 2
    for label, (line, radius) in TUBES.items():
        points = np.concatenate([np.linspace(start, end, 60) for start, end in itertools.pairwise(line)])
        inside = np.zeros(SHAPE, dtype=bool, order="F")
        inside[tuple(np.rint(points / SPACING_MM).astype(int).T)] = True
        labels[ndimage.distance_transform_edt(~inside, SPACING_MM) <= radius] = label
    return labels


def _vertices(mask: npt.NDArray[np.bool_]) -> int:
    return sum(int(np.count_nonzero(np.diff(mask, axis=axis))) for axis in range(3))


if __name__ == "__main__":
    main()
