"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real CT, SEG and SR made by others; not part of the project."""
    folder = Path(os.environ.get("CT_ASSETS_SHARED", REPOSITORY.parent / "shared" / "data"))
    assert folder.is_dir(), f"test data not found at {folder}; set CT_ASSETS_SHARED to the folder of real scans"
    return folder
