"""A finished series is kept only as long as nothing that decides its files has changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from ct_assets import completion
from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.collection import Collection
from ct_assets.completion import completion_key, limits_key
from resources.model_store import ModelStore

SETTINGS = {
    "name": "some",
    "title": "Some",
    "demonstration": True,
    "source": {"kind": "folder", "path": "/nowhere"},
    "organ_segmentation": {"model": "demo"},
    "body_part_regression": {"model": "demo"},
}


@pytest.fixture
def key(model_home, tmp_path):
    file = tmp_path / "1.dcm"
    file.write_bytes(b"pixels")
    store = ModelStore(root=str(model_home / "models"))

    def make(files: tuple[Path, ...] = (file,), **changes: object) -> str:
        return completion_key(list(files), Collection.model_validate({**SETTINGS, **changes}), store)

    return make


def test_what_decides_the_files_changes_the_key(key, tmp_path):
    other = tmp_path / "2.dcm"
    other.write_bytes(b"other pixels")
    keys = {key(), key((other,)), key(compatibility="published")}
    assert len(keys) == 3
    assert key(title="Renamed") == key()


def test_limits_have_a_key_of_their_own(key):
    changed = {"qc": {"dice_minimum": {"heart": 0.5}}}
    assert key(**changed) == key()
    plain, other = Collection.model_validate(SETTINGS), Collection.model_validate({**SETTINGS, **changed})
    assert limits_key(plain) != limits_key(other)


def test_files_of_an_older_schema_are_made_again(key, monkeypatch):
    """After bpr_record.json became version 2, a finished series of version 1 could be shown by nothing."""
    before = key()
    (table, *place), *others = completion.SERIES_TABLES
    newer = replace(table, version=table.version + 1)
    with monkeypatch.context() as patch:
        patch.setattr(completion, "SERIES_TABLES", ((newer, *place), *others))
        assert key() != before
    with monkeypatch.context() as patch:
        patch.setattr(BodyPartRecord, "version", classmethod(lambda cls: 1))
        assert key() != before
    assert key() == before
