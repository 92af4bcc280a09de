"""A tiny chest, and its results without any fault."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.chain import Chain
from tests.faults.tiny import write_tiny


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, _model_home: Path) -> Chain:
    """The chain of one tiny chest, annotated."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_tiny(folder / "dicom", 1)
    chain = Chain(folder / "dicom", folder / "out", _model_home)
    outcome = chain.annotate().answer
    assert outcome.complete, outcome
    assert [series.status for series in outcome.series] == ["annotated"]
    return chain


@pytest.fixture
def finished(undisturbed: Chain, tmp_path: Path) -> Chain:
    """The same with results of its own that may be damaged."""
    shutil.copytree(undisturbed.out, tmp_path / "out")
    return undisturbed.to(tmp_path / "out")


@pytest.fixture
def up_to(finished: Chain) -> Callable[[str], Chain]:
    """Results as they are before a stage."""
    return lambda stage: _before(finished, stage)


def _before(chain: Chain, stage: str) -> Chain:
    folder = chain.series
    made = {
        "ct_nifti": [folder.path],
        "organ_seg": [folder.path / "organ_seg"],
        "bpr_json": [folder.bpr_json, folder.bpr_record, folder.landmarks, folder.regions],
        "shape_features": [folder.shape_features],
        "dicom_seg": [folder.path / "seg"],
        "dicom_sr": [folder.path / "sr"],
        "qc_report": [folder.qc_table, folder.qc_page],
    }
    names = list(made)
    for path in (folder.completion, *(path for name in names[names.index(stage) :] for path in made[name])):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return chain
