"""Fixtures shared by all tests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from xdist.scheduler import LoadScopeScheduling

from ct_assets.settings import settings

REPOSITORY = Path(__file__).resolve().parent.parent


class _FolderScheduling(LoadScopeScheduling):
    """Keep the tests of a folder, which share what is slow to make, in one of the processes; faults by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return str(file) if file.parent.name in {"tests", "faults"} else str(file.parent)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file, beside which the others run."""
    items.sort(key=lambda item: item.path.stem != "test_service")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real CT, SEG and SR made by others; not part of the project."""
    folder = Path(os.environ.get("CT_ASSETS_SHARED", REPOSITORY.parent / "shared" / "data"))
    assert folder.is_dir(), f"test data not found at {folder}; set CT_ASSETS_SHARED to the folder of real scans"
    return folder


@pytest.fixture(scope="session")
def _model_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ct_assets.demo.models import install_models

    home = tmp_path_factory.mktemp("home")
    install_models(home / "models")
    return home


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep tests out of the installation's own store and state, and Dagster's logs out of the checkout."""
    os.environ["DAGSTER_HOME"] = str(tmp_path_factory.mktemp("dagster_home"))
    shutil.copy(REPOSITORY / "dagster.yaml", os.environ["DAGSTER_HOME"])
    os.environ["CT_ASSETS_STATE"] = str(tmp_path_factory.mktemp("state"))
    os.environ["CT_ASSETS_HOME"] = str(tmp_path_factory.mktemp("unused_home"))


@pytest.fixture(scope="module")
def model_home(_model_home: Path) -> Iterator[Path]:
    """A store with the demonstration models, in force for this process."""
    before = os.environ["CT_ASSETS_HOME"]
    os.environ["CT_ASSETS_HOME"] = str(_model_home)
    settings.cache_clear()
    yield _model_home
    os.environ["CT_ASSETS_HOME"] = before
    settings.cache_clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; for a module only, because Playwright's event loop stands in the way of others."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing; run tools/install_debian_packages.sh"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the pictures that browser tests take; set CT_ASSETS_SCREENSHOTS to keep them."""
    kept = os.environ.get("CT_ASSETS_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
