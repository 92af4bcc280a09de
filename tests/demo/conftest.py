"""Phantoms, the demo collection and the demo models, made once for all tests of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ct_assets.demo.collection import make_collection
from ct_assets.demo.models import install_models
from ct_assets.demo.phantom import Phantom, make_phantom

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return make_phantom(3)


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("collection") / "demo")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    install_models(root)
    return root / "demo"
