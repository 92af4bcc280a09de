"""A disk that runs full while a stage writes: the error says so, nothing is lost, and with room all completes."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.chain import ALL, MODEL, Chain, materialize
from tests.faults.contents import leftovers, read_whole, said, visible
from tests.faults.small_disk import fill

FIRST = {
    "ct_nifti": "ct.nii.gz",
    "organ_seg": f"organ_seg/{MODEL}.nii.gz",
    "bpr_json": "bpr.json",
    "shape_features": "shape_features.parquet",
    "dicom_seg": f"seg/{MODEL}.dcm",
}
"""Each stage, and the first file that it writes."""


@dataclass(frozen=True)
class Story:
    """What failed on the full disk, what lay there then, and how it went on with room."""

    failed: dict[str, str]
    files: dict[str, bytes]
    left: list[Path]
    failed_with_room: dict[str, str]
    said: dict[str, Any]


def _story(chain: Chain, stage: str) -> Story:
    make_room = fill(chain.out)
    failed = materialize(chain, [stage])
    for path in visible(chain.out):
        read_whole(path)
    files, left = _files(chain), leftovers(chain.out)
    make_room()
    return Story(failed, files, left, materialize(chain, [ALL]), said(chain.series))


def _files(chain: Chain) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in visible(chain.out)}


@pytest.mark.parametrize("stage", FIRST)
def test_a_stage_that_finds_the_disk_full_says_so_and_loses_nothing(undisturbed, up_to, stage):
    chain: Chain = up_to(stage)
    before = _files(chain)
    done = chain.start(_story, stage).end()
    folder = (chain.series.path / FIRST[stage]).parent
    assert done.exit_code == 0, done.log
    assert done.answer.failed[stage].startswith(f"{stage}: no space left in {folder} ")
    assert "free some and try again; what was there before is kept" in done.answer.failed[stage]
    assert done.answer.files == before
    assert done.answer.left == []
    assert done.answer.failed_with_room == {}
    assert done.answer.said == said(undisturbed.series)


def _without_scratch(chain: Chain, scratch: Path) -> tuple[dict[str, str], bool, dict[str, str]]:
    tempfile.tempdir = str(scratch)
    make_room = fill(scratch)
    failed = materialize(chain, ["ct_nifti"])
    recorded = chain.series.ct_record.exists()
    make_room()
    return failed, recorded, materialize(chain, ["ct_nifti"])


def test_a_full_folder_of_temporary_files_makes_no_series_unfit(up_to, tmp_path):
    """dcm2niix makes no volume then, which had been recorded as the reason why the series is unfit."""
    chain, scratch = up_to("ct_nifti"), tmp_path / "scratch"
    scratch.mkdir()
    failed, recorded, failed_with_room = chain.start(_without_scratch, scratch).end().answer
    assert "no space left in" in failed["ct_nifti"] or "dcm2niix was ended by signal" in failed["ct_nifti"]
    assert (recorded, failed_with_room) == (False, {})
