"""One series among 25 that a model cannot take: the others are annotated, and only it is tried again."""

from pathlib import Path

import pytest

from tests.faults.chain import MODEL, Chain
from tests.faults.tiny import write_tiny
from tests.organ_seg.random_models import cubic

SERIES, POISONED = 25, 12


@pytest.fixture
def chain(tmp_path, _model_home) -> Chain:
    """25 chests; one of them is constant, which a model that normalizes each CT by itself (CT2) cannot take."""
    (tmp_path / "home/models").mkdir(parents=True)
    (tmp_path / "home/models/demo").symlink_to(_model_home / "models/demo")
    cubic(MODEL, folds=1, normalization="CT2", spacing_mm=(12.0, 12.0, 12.0)).write(tmp_path / "home/models/random")
    for patient in range(1, SERIES + 1):
        write_tiny(tmp_path / "dicom" / f"{patient:02d}", patient, constant=40 if patient == POISONED else None)
    return Chain(tmp_path / "dicom", tmp_path / "out", tmp_path / "home", model="random")


def _times(chain: Chain) -> dict[str, int]:
    return {folder.series_instance_uid: folder.ct_record.stat().st_mtime_ns for folder in chain.store.all_series()}


def test_a_poisoned_series_among_25_fails_alone(chain: Chain, tmp_path: Path):
    first = chain.annotate()
    failed = [series for series in first.answer.series if series.status == "failed"]
    assert [series.status for series in first.answer.series].count("annotated") == SERIES - 1
    [bad] = failed
    assert bad.reason == (
        "organ_seg: the CT has no contrast within the window of the network; nothing can be segmented"
    )
    assert first.answer.report is not None
    assert not first.answer.complete, "exit code 3"
    before = _times(chain)
    again = chain.annotate().answer
    assert [series.reused for series in again.series].count(True) == SERIES - 1
    assert [(series.status, series.reason) for series in again.series if not series.reused] == [("failed", bad.reason)]
    after = _times(chain)
    assert [uid for uid in after if after[uid] != before[uid]] == [bad.series_instance_uid]
