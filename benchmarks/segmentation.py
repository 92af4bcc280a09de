"""Benchmark of organ segmentation: ours beside nnUNet_predict, on the same weights and the same series.

Run by `make bench-segmentation`; prints one JSON line last. Both run as processes of their own, from start to the last
label map, for one series and for four, so that the cost of starting and of a further series stand apart. The published
pipeline calls nnUNet_predict once per series: `speedup_wall` is of our one process for four series against four calls.
On a CPU the network is that of the demonstration; where there is CUDA, SegTHOR's with random weights is measured too.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from benchmarks.bodypart import write_volume
from benchmarks.process_tree import Measured, measure
from ct_assets.demo.models import install_models
from ct_assets.demo.nnunet_format import model_folder
from ct_assets.organs import ORGANS
from tests.organ_seg.random_models import segthor

CORES = 2
SERIES = 4
SHAPE = (512, 512, 140)
ZOOMS_MM = (0.8, 0.8, 2.5)
SEGTHOR_SHAPE = (512, 512, 150)
SEGTHOR_ZOOMS_MM = (0.9765625, 0.9765625, 2.5)


def main() -> None:
    """Time both and print the figures."""
    import torch

    cuda = torch.cuda.is_available()
    if not cuda:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-segmentation-") as scratch:
        root = Path(scratch)
        install_models(root / "models")
        series = [write_volume(root / f"{seed}_0000.nii.gz", seed, SHAPE, ZOOMS_MM) for seed in range(1, SERIES + 1)]
        figures = {
            "device": torch.cuda.get_device_name() if cuda else f"cpu, {CORES} cores",
            **_compare(root / "demo", root / "models/demo", series),
        }
        if cuda:
            segthor().write(root / "segthor_models")
            scan = write_volume(root / "segthor_0000.nii.gz", 1, SEGTHOR_SHAPE, SEGTHOR_ZOOMS_MM)
            figures["segthor_architecture"] = _compare_one(root / "segthor", root / "segthor_models", scan)
    print(json.dumps(figures))


def _compare(place: Path, models: Path, series: list[Path]) -> dict[str, Any]:
    """Compare for one and for several series."""
    ours_one, ours_all = _ours(place / "ours_one", models, series[:1]), _ours(place / "ours", models, series)
    alone = [_theirs(place / f"alone_{scan.name}", models, [scan]) for scan in series]
    together = _theirs(place / "together", models, series)
    further = len(series) - 1
    marginal = (ours_all.seconds - ours_one.seconds) / further
    marginal_theirs = (together.seconds - alone[0].seconds) / further
    print(f"ours: one {ours_one}, {len(series)} {ours_all}; stages {(place / 'ours/out/stages.json').read_text()}")
    print(f"nnUNet_predict: each alone {[run.seconds for run in alone]}, together {together}")
    return {
        "speedup_wall_vs_nnunet_predict": round(sum(run.seconds for run in alone) / ours_all.seconds, 2),
        "speedup_marginal_vs_nnunet_predict": round(marginal_theirs / marginal, 2),
        "startup_seconds": round(ours_one.seconds - marginal, 2),
        "startup_seconds_nnunet_predict": round(alone[0].seconds - marginal_theirs, 2),
        "seconds_per_series": round(marginal, 2),
        "seconds_per_series_nnunet_predict": round(marginal_theirs, 2),
        "peak_gb": ours_all.peak_gb,
        "peak_gb_nnunet_predict": together.peak_gb,
        "min_dice_vs_nnunet_predict": _least_dice(place / "ours/out", place / "together/out"),
    }


def _compare_one(place: Path, models: Path, scan: Path) -> dict[str, Any]:
    """Compare for one series: the whole call, which is what matters where a series takes minutes."""
    ours, theirs = _ours(place / "ours", models, [scan]), _theirs(place / "theirs", models, [scan])
    (stages,) = json.loads((place / "ours/out/stages.json").read_text()).values()
    whole = sum(stages.values())
    return {
        "speedup_wall_vs_nnunet_predict": round(theirs.seconds / ours.seconds, 2),
        "seconds": ours.seconds,
        "seconds_nnunet_predict": theirs.seconds,
        "seconds_warm": round(whole, 2),
        "share_of_stages": {name: round(seconds / whole, 3) for name, seconds in stages.items()},
        "peak_gb": ours.peak_gb,
        "peak_gb_nnunet_predict": theirs.peak_gb,
        "min_dice_vs_nnunet_predict": _least_dice(place / "ours/out", place / "theirs/out"),
    }


def _ours(place: Path, models: Path, series: list[Path]) -> Measured:
    source, target = _folders(place, series)
    folder = model_folder(models, "3d_fullres")
    arguments = [str(folder), str(source), str(target), "tta", "0.5"]
    return measure([sys.executable, "-m", "benchmarks.segment_folder", *arguments], place / "log")


def _theirs(place: Path, models: Path, series: list[Path]) -> Measured:
    source, target = _folders(place, series)
    command = [str(Path(sys.executable).parent / "nnUNet_predict"), "-i", str(source), "-o", str(target)]
    # Since torch 2.6 nnU-Net cannot read its own checkpoints, unless it may read anything.
    environment = {"RESULTS_FOLDER": str(models), "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    return measure([*command, "-t", "Task055_SegTHOR", "-m", "3d_fullres"], place / "log", environment)


def _folders(place: Path, series: list[Path]) -> tuple[Path, Path]:
    source, target = place / "in", place / "out"
    for folder in (source, target):
        folder.mkdir(parents=True)
    for scan in series:
        (source / scan.name).symlink_to(scan)
    return source, target


def _least_dice(first: Path, second: Path) -> float:
    """Return the smallest Dice of any organ in any series; an organ that neither found does not count."""
    found = []
    for path in sorted(first.glob("*.nii.gz")):
        ours, theirs = (np.asarray(nib.load(folder / path.name).dataobj) for folder in (first, second))
        for label in ORGANS:
            one, other = ours == label, theirs == label
            if size := np.count_nonzero(one) + np.count_nonzero(other):
                found.append(2 * np.count_nonzero(one & other) / size)
    if not found:
        sys.exit("neither found an organ: there is nothing to compare")
    return round(min(found), 6)


if __name__ == "__main__":
    main()
