"""Benchmark of the preset `fast`: what it saves, and what it costs in agreement with the preset `full`.

Run by `make bench-segmentation-fast`; prints one JSON line last. Ten phantoms that the demonstration model has not seen
are segmented both ways. That model has one fold, so what is measured is the cost of not mirroring; the cost of one
fold instead of five needs a model of five folds that were trained.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from ct_assets.demo.evaluation import HELD_OUT_SEEDS
from ct_assets.demo.models import install_models
from ct_assets.demo.nnunet_format import model_folder
from ct_assets.demo.phantom import make_phantom
from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.organs import ORGANS


def main() -> None:
    """Segment, compare and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-segmentation-fast-") as scratch:
        install_models(Path(scratch))
        folder = model_folder(Path(scratch) / "demo", "3d_fullres")
        full, fast = (
            NnunetModel(folder, folds, tta=tta, step_size=0.5, precision="mixed", device="auto")
            for folds, tta in ((None, True), ((0,), False))
        )
        for model in (full, fast):  # the first call of each is not counted
            model(make_phantom(1).hu.transpose(2, 1, 0), make_phantom(1).spacing[::-1])
        seconds = {"full": 0.0, "fast": 0.0}
        agreement, truth_full, truth_fast = _Dice(), _Dice(), _Dice()
        for seed in HELD_OUT_SEEDS:
            phantom = make_phantom(seed)
            volume = phantom.hu.transpose(2, 1, 0)
            found = {}
            for name, model in (("full", full), ("fast", fast)):
                started = time.perf_counter()
                found[name] = model(volume, phantom.spacing[::-1]).labels.transpose(2, 1, 0)
                seconds[name] += time.perf_counter() - started
            agreement.add(found["fast"], found["full"])
            truth_full.add(found["full"], phantom.labels)
            truth_fast.add(found["fast"], phantom.labels)
    print(
        json.dumps(
            {
                "speedup_fast": round(seconds["full"] / seconds["fast"], 2),
                "dice_fast_vs_full": agreement.means(),
                "lowest_dice_fast_vs_full": agreement.lowest(),
                "dice_full_vs_truth": truth_full.means(),
                "dice_fast_vs_truth": truth_fast.means(),
            }
        )
    )


class _Dice:
    """Dice of each organ, over phantoms."""

    def __init__(self) -> None:
        self._found: dict[str, list[float]] = {organ: [] for organ in ORGANS.values()}

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        for label, organ in ORGANS.items():
            one, other = first == label, second == label
            size = np.count_nonzero(one) + np.count_nonzero(other)
            self._found[organ].append(2 * np.count_nonzero(one & other) / size if size else 1.0)

    def means(self) -> dict[str, float]:
        return {organ: round(float(np.mean(values)), 4) for organ, values in self._found.items()}

    def lowest(self) -> float:
        return round(min(min(values) for values in self._found.values()), 4)


if __name__ == "__main__":
    main()
