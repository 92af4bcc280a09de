"""Benchmark of the mask metrics: ours beside plastimatch's, on two hearts in a grid of 512 by 512 by 200.

Run by `make bench-qc`; prints one JSON line last. Both read the same two NIfTI files; seconds are CPU, user and system,
and wall-clock, medians of runs in turn. plastimatch is a whole process, because that is all it offers: it starts, and
reads the two files. `plastimatch dice --dice` does that and counts voxels, so what `--all` takes beyond it is distances
alone. Ours runs in a warm process. `speedup_vs_plastimatch`, the smaller of the ratios of CPU and wall-clock seconds,
has our reading of the files in it; `dice_hd_seconds_512x512x200` has not: it is the larger of CPU and wall-clock, from
arrays in memory. The cohort report's figures are those of `benchmarks.qc_cohort`.
"""

import gc
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.qc_cohort import cohort_report_at_scale
from ct_assets.qc_report.metrics import MaskComparison, compare_masks

SHAPE = (512, 512, 200)
SPACING_MM = (0.98, 0.98, 2.5)
CORES = 2
REPETITIONS = 9
WITHIN_MM = 0.1
# Centre and radii of the two hearts in mm.
HEARTS = (((250, 240, 230), (55, 48, 54)), ((254, 243, 232), (56, 47, 52)))
PEER_LINES = {
    "dice": r"DICE:",
    "hausdorff": r"Hausdorff distance =",
    "hd95_volumetric": r"Percent \(0\.95\) Hausdorff distance =",
}

Mask = npt.NDArray[np.bool_]
Seconds = tuple[float, float]
"""CPU and wall-clock seconds."""


def main() -> None:
    """Time both in turn, compare what they measured, and print the figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    masks = [_heart(*place, seed) for seed, place in enumerate(HEARTS, 1)]
    with tempfile.TemporaryDirectory(prefix="bench-qc-") as scratch:
        files = [_write(mask, Path(scratch) / f"heart_{number}.nii") for number, mask in enumerate(masks)]
        packed = [_write(mask, Path(scratch) / f"heart_{number}.nii.gz") for number, mask in enumerate(masks)]
        _check(masks, files)
        ours, ours_read, ours_packed, theirs, theirs_read, theirs_packed = _in_turn(
            {
                "ours, masks in memory": _own(lambda: _measure(masks)),
                "ours, with reading": _own(lambda: _measure([_read(file) for file in files])),
                "ours, with reading gzipped files": _own(lambda: _measure([_read(file) for file in packed])),
                "plastimatch dice --all": _process("dice", "--all", *files),
                "plastimatch dice --dice": _process("dice", "--dice", *files),
                "plastimatch dice --all, gzipped files": _process("dice", "--all", *packed),
            }
        )
    share = [read / whole for read, whole in zip(theirs_read, theirs, strict=True)]
    print(
        f"plastimatch: start, reading and Dice are {share[0]:.0%} of its CPU, {share[1]:.0%} of its wall-clock seconds"
    )
    computing = (theirs[0] - theirs_read[0], theirs[1] - theirs_read[1])
    _ratio("faster than plastimatch, reading left out of both, and its start and Dice left out too", ours, computing)
    _ratio("faster than plastimatch, gzipped files read by both", ours_packed, theirs_packed)
    speedup = _ratio("faster than plastimatch, files read by both", ours_read, theirs)
    seconds, megabytes = cohort_report_at_scale()
    figures = {
        "dice_hd_seconds_512x512x200": round(max(ours), 4),
        "speedup_vs_plastimatch": round(speedup, 1),
        "cohort_report_seconds_1039": round(seconds, 3),
        "report_mb": round(megabytes, 2),
    }
    print(json.dumps(figures))


def _heart(centre: tuple[float, ...], radii: tuple[float, ...], seed: int) -> Mask:
    """An ellipsoid whose surface is bumpy: its radii vary by 7 % over some 8 mm."""
    box = tuple(
        slice(int((middle - 1.4 * radius) / step), int((middle + 1.4 * radius) / step) + 1)
        for middle, radius, step in zip(centre, radii, SPACING_MM, strict=True)
    )
    x, y, z = (
        (np.arange(part.start, part.stop) * step - middle) / radius
        for part, step, middle, radius in zip(box, SPACING_MM, centre, radii, strict=True)
    )
    mask = np.zeros(SHAPE, dtype=bool, order="F")
    noise = np.random.default_rng(seed).normal(size=(len(x), len(y), len(z)))
    bumps = ndimage.gaussian_filter(noise, [8 / step for step in SPACING_MM])
    squares = x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2
    mask[box] = squares < (1 + 0.07 * bumps / bumps.std()) ** 2
    return mask


def _write(mask: Mask, path: Path) -> Path:
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), np.diag([*SPACING_MM, 1])), path)
    return path


def _read(path: Path) -> Mask:
    return np.asarray(nib.load(path).dataobj, dtype=np.uint8).view(bool)


def _measure(masks: list[Mask]) -> MaskComparison:
    comparison = compare_masks(masks[0], masks[1], SPACING_MM)
    assert comparison is not None
    return comparison


def _check(masks: list[Mask], files: list[Path]) -> None:
    """Stop where ours and plastimatch's values are not the same."""
    millilitres = [np.count_nonzero(mask) * np.prod(SPACING_MM) / 1000 for mask in masks]
    mine = _measure(masks)
    print(f"hearts of {millilitres[0]:.0f} and {millilitres[1]:.0f} mL; {mine}")
    done = subprocess.run(["plastimatch", "dice", "--all", *files], capture_output=True, text=True, check=True)
    for name, label in PEER_LINES.items():
        found = re.search(rf"^{label}\s*(\S+)\s*$", done.stdout, re.MULTILINE)
        if not found:
            sys.exit(f"plastimatch printed no {name}:\n{done.stdout}")
        allowed = 1e-6 if name == "dice" else WITHIN_MM
        if abs(float(found[1]) - getattr(mine, name)) > allowed:
            sys.exit(f"{name} is {getattr(mine, name)}, and plastimatch's {found[1]}")
        print(f"{name}: plastimatch {found[1]}")


def _own(call: Callable[[], object]) -> Callable[[], Seconds]:
    def timed() -> Seconds:
        gc.collect()  # what the runs before left behind is not this one's
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        return time.process_time() - cpu, time.perf_counter() - wall

    return timed


def _process(*arguments: str | Path) -> Callable[[], Seconds]:
    def timed() -> Seconds:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = time.perf_counter()
        subprocess.run(["plastimatch", *arguments], stdout=subprocess.DEVNULL, check=True)
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall

    return timed


def _in_turn(calls: dict[str, Callable[[], Seconds]]) -> list[Seconds]:
    """Run each once to warm it, then all of them in turn; log and return the medians."""
    for call in calls.values():
        call()
    rounds = [[call() for call in calls.values()] for _ in range(REPETITIONS)]
    medians = []
    for name, values in zip(calls, zip(*rounds, strict=True), strict=True):
        cpu, wall = (statistics.median(value[kind] for value in values) for kind in (0, 1))
        print(f"{name}: median of {REPETITIONS}: {cpu:.4f} s CPU, {wall:.4f} s wall-clock")
        medians.append((cpu, wall))
    return medians


def _ratio(what: str, ours: Seconds, theirs: Seconds) -> float:
    cpu, wall = (their / our for our, their in zip(ours, theirs, strict=True))
    print(f"{what}: {cpu:.1f} times in CPU, {wall:.1f} times in wall-clock seconds")
    return min(cpu, wall)


if __name__ == "__main__":
    main()
