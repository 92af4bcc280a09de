"""Benchmark of body part regression: our preprocessing and inference beside bpreg's own, on one volume and weights.

Run by `make bench-bodypart`; prints one JSON line last. The volume is 512 by 512 by 200, an upsampled phantom; the
weights are random in the real architecture, none of them zero, so that no channel can be left out. Loading the models
is excluded on both sides; reading the NIfTI file is excluded from preprocessing and included in the whole, on both.
"""

import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import zoom

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.bpr_json.preprocess import preprocess
from ct_assets.ct_nifti.volume import load_scan
from ct_assets.demo.phantom import make_phantom
from tests.bpr_json.bundles import write_random_bundle

CORES = 2
SHAPE = (512, 512, 200)
ZOOMS_MM = (0.8, 0.8, 1.75)
REPETITIONS = 3


def main() -> None:
    """Time both in turn and print the figures."""
    warnings.simplefilter("ignore")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-bodypart-") as scratch:
        path = write_volume(Path(scratch) / "ct.nii.gz")
        bundle = write_random_bundle(Path(scratch) / "bundle", seed=0)
        ours = BpregModel(bundle, "cpu")
        peer = import_inference_model().InferenceModel(f"{bundle}/", gpu=0)
        figures = {**_preprocessing(path, peer), **_whole(path, ours, peer)}
    print(json.dumps(figures))


def write_volume(
    path: Path,
    seed: int = 1,
    shape: tuple[int, int, int] = SHAPE,
    zooms_mm: tuple[float, float, float] = ZOOMS_MM,
) -> Path:
    """Write a phantom on a clinical grid, with noise so that it compresses as a scan does."""
    hu = make_phantom(seed).hu.transpose(2, 1, 0)
    factors = [size / before for size, before in zip(shape, hu.shape, strict=True)]
    volume = zoom(hu.astype(np.float32), factors, order=1)
    volume += np.random.default_rng(0).normal(0, 15, volume.shape).astype(np.float32)
    affine = np.diag([-1, -1, 1, 1] * np.array([*zooms_mm, 1]))
    nib.save(nib.Nifti1Image(np.rint(volume).astype(np.int16), affine), path)
    return path


def _preprocessing(path: Path, peer: Any) -> dict[str, float]:
    volume, affine = load_scan(path)
    loaded, spacing = peer.n2n.load_volume(str(path))
    ours, theirs = _in_turn(
        lambda: preprocess(volume, affine),
        lambda: peer.n2n.resize_volume(peer.n2n.rescale_xy(loaded), spacing),
    )
    print(f"preprocessing: ours {ours} s, bpreg {theirs} s")
    return {"speedup_preprocessing_vs_bpreg": round(statistics.median(theirs) / statistics.median(ours), 2)}


def _whole(path: Path, ours: BpregModel, peer: Any) -> dict[str, float]:
    answers: dict[str, Any] = {}
    mine, theirs = _in_turn(
        lambda: answers.update(ours=ours(*load_scan(path)).result),
        lambda: answers.update(bpreg=peer.nifti2json(str(path))),
    )
    print(f"file to result: ours {mine} s, bpreg {theirs} s")
    key = "cleaned slice scores"
    if answers["ours"]["body part examined"] != answers["bpreg"]["body part examined"]:
        sys.exit("the regions differ")
    scores = [np.asarray(answers[side][key]) for side in ("ours", "bpreg")]
    if not np.array_equal(*(np.isfinite(side) for side in scores)) or not np.isfinite(scores[0]).any():
        sys.exit("other slices have a valid score")
    difference = np.nanmax(np.abs(np.subtract(*scores)))
    return {
        "speedup_cpu_vs_bpreg": round(statistics.median(theirs) / statistics.median(mine), 2),
        "max_abs_score_diff": float(f"{difference:.2g}"),
        "seconds_512x512x200": round(statistics.median(mine), 2),
    }


def _in_turn(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPETITIONS):
        for call, seconds in zip((ours, theirs), times, strict=True):
            started = time.perf_counter()
            call()
            seconds.append(round(time.perf_counter() - started, 3))
    return times


if __name__ == "__main__":
    main()
