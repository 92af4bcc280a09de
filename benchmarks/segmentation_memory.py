"""Benchmark of memory: a CT of 600 slices through the plan of SegTHOR, ours beside nnUNet_predict.

Run by `make bench-segmentation-memory`; prints one JSON line last. Spacing, patch and classes are SegTHOR's; the
network has 2 features instead of 32, one fold, and tiles that do not overlap, so that a CPU ends in minutes: that does
not change what preprocessing, the class probabilities and the export hold.
"""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.bodypart import write_volume
from benchmarks.process_tree import Measured, measure
from tests.organ_seg.random_models import segthor

SHAPE = (512, 512, 600)
ZOOMS_MM = (0.8, 0.8, 1.0)
LARGEST_GB = 20.0


def main() -> None:
    """Measure both and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-segmentation-memory-") as scratch:
        root = Path(scratch)
        folder = segthor(features=2, folds=1).write(root / "models")
        source = root / "in"
        source.mkdir()
        write_volume(source / "a_0000.nii.gz", 1, SHAPE, ZOOMS_MM)
        for name in ("ours", "theirs"):
            (root / name).mkdir()
        ours = measure(
            [
                sys.executable,
                "-m",
                "benchmarks.segment_folder",
                str(folder),
                str(source),
                str(root / "ours"),
                "plain",
                "1",
            ],
            root / "ours.log",
        )
        print(f"ours: {ours}; stages {(root / 'ours/stages.json').read_text()}")
        theirs = measure(
            [
                str(Path(sys.executable).parent / "nnUNet_predict"), "-i", str(source), "-o", str(root / "theirs"),
                "-t", "Task055_SegTHOR", "-m", "3d_fullres", "--disable_tta", "--step_size", "1",
            ],
            root / "theirs.log",
            {"RESULTS_FOLDER": str(root / "models"), "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
            LARGEST_GB,
        )  # fmt: skip
        print(f"nnUNet_predict: {theirs}")
    print(json.dumps({"peak_gb": ours.peak_gb, "peak_gb_nnunet_predict": _said(theirs), "seconds": ours.seconds}))


def _said(measured: Measured) -> float | str:
    return f"more than {LARGEST_GB:g}" if measured.too_large else measured.peak_gb


if __name__ == "__main__":
    main()
