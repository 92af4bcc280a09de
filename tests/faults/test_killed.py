"""kill -9 in every stage, at the worst moments: nothing is lost or half-written, and the next run completes."""

from functools import partial

import pytest

from tests.faults.chain import ALL, MODEL
from tests.faults.contents import leftovers, read_whole, said, visible
from tests.faults.strike import killed_when_half_written, killed_when_in_place

STAGES = {
    "ct_nifti": "ct.nii.gz",
    "organ_seg": f"{MODEL}.nii.gz",
    "bpr_json": "landmarks.parquet",
    "shape_features": "shape_features.parquet",
    "dicom_seg": f"{MODEL}.dcm",
    "dicom_sr": "regions.dcm",
    "qc_report": "qc.parquet",
}
"""Each stage, and a file that it writes."""


@pytest.mark.parametrize(
    ("stage", "moment"),
    [*((stage, killed_when_half_written) for stage in STAGES), ("organ_seg", killed_when_in_place)],
)
def test_a_run_that_was_killed_in_a_stage_leaves_nothing_half_written_and_is_made_good(
    undisturbed, up_to, stage, moment
):
    chain = up_to(stage)
    before = {path: path.read_bytes() for path in visible(chain.out)}
    killed = chain.materialize(stage, fault=partial(moment, STAGES[stage]))
    assert killed.killed, killed.log
    assert before == {path: path.read_bytes() for path in before}, "nothing is lost"
    new = {path.name for path in visible(chain.out) if path not in before}
    assert (STAGES[stage] in new) == (moment is killed_when_in_place)
    for path in visible(chain.out):
        read_whole(path)
    assert bool(leftovers(chain.out)) == (moment is killed_when_half_written)
    again = chain.materialize(ALL)
    assert again.answer == {}, again.log
    assert said(chain.series) == said(undisturbed.series)
    assert leftovers(chain.out) == []
