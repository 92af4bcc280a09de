"""A collection of two real CT, annotated by its YAML."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ct_assets import run
from ct_assets.collection import Collection, load_collection
from ct_assets.installation import resources
from ct_assets.settings import settings

CONTENT = {
    "name": "chests",
    "title": "Two real CT",
    "demonstration": True,
    "selection": {"minimum_slices": 20},
    "organ_segmentation": {"model": "demo", "tta": False},
    "body_part_regression": {"model": "demo"},
    "deflate": True,
    "licence": "CC BY-NC 3.0",
    "citation": "https://doi.org/10.17195/candat.2016.08.1",
}


@pytest.fixture(scope="module")
def chests(shared_data: Path, _model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The collection; the installation's settings are its own while a module's tests run."""
    root = tmp_path_factory.mktemp("chests")
    dicom = root / "dicom"
    dicom.mkdir()
    for name in ("chest_ct_64/dicom", "ibsi_lung_ct/dicom/image"):
        (dicom / name.partition("/")[0]).symlink_to(shared_data / "real" / name)
    (root / "collections").mkdir()
    content = {**CONTENT, "source": {"kind": "folder", "path": str(dicom)}}
    (root / "collections/chests.yaml").write_text(yaml.safe_dump(content))
    (root / "home").mkdir()
    (root / "home/models").symlink_to(_model_home / "models")
    before = {name: os.environ.get(name) for name in ("CT_ASSETS_HOME", "CT_ASSETS_COLLECTIONS")}
    os.environ.update(CT_ASSETS_HOME=str(root / "home"), CT_ASSETS_COLLECTIONS=str(root / "collections"))
    settings.cache_clear()
    collection = load_collection(root / "collections/chests.yaml")
    outcome = run.annotate(collection, instance=dg.DagsterInstance.ephemeral(), resources=resources())
    assert outcome.complete, outcome
    assert [series.checks["seg_dciodvfy"] for series in outcome.series] == ["pass", "pass"]
    assert [series.checks["sr_dciodvfy"] for series in outcome.series] == ["pass", "pass"]
    yield collection
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    settings.cache_clear()
