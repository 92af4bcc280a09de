"""A collection with two series."""

from pathlib import Path

import pytest

from ct_assets.store.paths import CollectionFolder
from tests.review.small_store import add_series


@pytest.fixture
def store(tmp_path: Path) -> CollectionFolder:
    made = CollectionFolder(tmp_path / "home" / "demo")
    for number in (1, 2):
        add_series(made, number)
    return made
