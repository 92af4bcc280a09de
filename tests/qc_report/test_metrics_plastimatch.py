"""Dice, Hausdorff distance and volumetric HD95 against plastimatch, which the published values come from.

Where plastimatch 1.9.4 differs:

- its distance map (Danielsson's algorithm) is approximate, ours is exact: most pairs agree to the six decimals that it
  prints, a few differ by less than a tenth of a millimetre;
- it may lose the last plane of the grid along an axis when it crops to the box of both masks, seen where few voxels
  reach that plane; so the pairs are compared with a margin of background, which by definition changes nothing;
- for a mask of one voxel, floor(0.95 n) - 1 is -1, and it reads what lies before its array, which is 0 in practice;
  ours takes the one distance that there is.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from ct_assets.qc_report.distance import directed_distances
from ct_assets.qc_report.metrics import compare_masks
from tests.qc_report.mask_pairs import KINDS, Mask, Pair, random_pair

PAIRS = 80
EQUAL_MM, EQUAL_SHARE = 1e-3, 0.85
OFF_MM = 0.1
MARGIN = 2
LINES = {
    "dice": r"DICE:",
    "hausdorff": r"Hausdorff distance =",
    "hd95_volumetric": r"Percent \(0\.95\) Hausdorff distance =",
}


def write(mask: Mask, spacing_mm: tuple[float, float, float], path: Path) -> Path:
    image = SimpleITK.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing(spacing_mm)
    SimpleITK.WriteImage(image, str(path))
    return path


def plastimatch(pair: Pair, folder: Path, margin: int = MARGIN) -> dict[str, float]:
    first = write(np.pad(pair.first, margin), pair.spacing_mm, folder / "first.nrrd")
    second = write(np.pad(pair.second, margin), pair.spacing_mm, folder / "second.nrrd")
    done = subprocess.run(["plastimatch", "dice", "--all", first, second], capture_output=True, text=True, check=True)
    values = {}
    for name, label in LINES.items():
        found = re.search(rf"^{label}\s*(\S+)\s*$", done.stdout, re.MULTILINE)
        assert found, f"plastimatch printed no {name}:\n{done.stdout}"
        values[name] = float(found[1])
    return values


def ours(pair: Pair) -> dict[str, float]:
    comparison = compare_masks(pair.first, pair.second, pair.spacing_mm)
    assert comparison is not None
    return asdict(comparison)


def as_plastimatch_counts(pair: Pair) -> dict[str, float]:
    """Ours, with 0 for the direction from a mask of one voxel, as plastimatch has it in its HD95."""
    values = ours(pair)
    for mask, other in ((pair.first, pair.second), (pair.second, pair.first)):
        if np.count_nonzero(mask) == 1:
            to_other, _ = directed_distances(mask, other, pair.spacing_mm, (0, 0))
            values["hd95_volumetric"] -= to_other.farthest / 2
    return values


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[tuple[float, str]]]:
    """How far ours is from plastimatch's, per metric: one figure per pair, with which pair it is."""
    folder = tmp_path_factory.mktemp("plastimatch")
    found: dict[str, list[tuple[float, str]]] = {name: [] for name in LINES}
    for seed in range(PAIRS):
        pair = random_pair(seed)
        mine, theirs = as_plastimatch_counts(pair), plastimatch(pair, folder)
        for name, value in theirs.items():
            found[name].append((abs(mine[name] - value), f"pair {seed} ({pair.kind}): {mine[name]} is not {value}"))
    return found


def test_pairs_are_of_every_kind() -> None:
    assert {random_pair(seed).kind for seed in range(PAIRS)} == set(KINDS)


def test_dice(differences: Mapping[str, list[tuple[float, str]]]) -> None:
    worst = max(differences["dice"])
    assert worst[0] < 1e-6, worst


@pytest.mark.parametrize("metric", ["hausdorff", "hd95_volumetric"])
def test_distance(metric: str, differences: Mapping[str, list[tuple[float, str]]]) -> None:
    found = differences[metric]
    worst = max(found)
    assert worst[0] <= OFF_MM, worst
    assert sum(difference <= EQUAL_MM for difference, _ in found) >= EQUAL_SHARE * len(found), sorted(found)[-10:]


def test_plastimatch_loses_the_last_plane_of_the_grid(tmp_path: Path) -> None:
    """Of the second mask's two voxels, plastimatch sees only the one that is not on the grid's last plane."""
    first, second = np.zeros((2, 20, 20, 20), dtype=bool)
    first[4, 15, 6] = second[16, 4, 0] = second[18, 2, 19] = True
    pair = Pair("last plane", first, second, (1.0, 1.0, 1.0))
    to_both, to_one_only = np.linalg.norm((14, 13, 13)), np.linalg.norm((12, 11, 6))
    assert ours(pair)["hausdorff"] == pytest.approx(to_both)
    assert plastimatch(pair, tmp_path)["hausdorff"] == pytest.approx(to_both)
    assert plastimatch(pair, tmp_path, margin=0)["hausdorff"] == pytest.approx(to_one_only)
