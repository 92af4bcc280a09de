"""The service on one server: Postgres, the units of `deploy/systemd`, the demo collection with one model."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ct_assets.demo.collection import make_collection
from ct_assets.demo.models import install_models
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import COHORT
from tests.postgres import NAME, PASSWORD, Postgres, postgres
from tests.production.units import DEPLOY, Server
from tests.service import REPOSITORY, free_port
from tests.service_graphql import GraphQL, wait

CONFIGURATION = "2d"
"""The one model of these tests."""


@dataclass(frozen=True)
class Installation:
    """A server whose units run, its database, its web UI and that of its viewers."""

    server: Server
    database: Postgres
    web: GraphQL
    viewers: GraphQL
    home: Path

    def series(self, uid: str) -> SeriesFolder:
        """Folder of the results of a series."""
        return CollectionFolder(self.home / "demo").series(uid)

    def objects(self, uid: str) -> dict[str, str]:
        """Digest of every DICOM object of a series, by file name: equal whenever it was made of the same."""
        return {path.name: file_digest(path) for path in sorted(self.series(uid).path.glob("s[er]*/*.dcm"))}


@pytest.fixture(scope="package")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="package")
def installed(database: Postgres) -> Iterator[Installation]:
    """The set-up of docs/service.md below a temporary folder, whose name is short for the sockets of Ray."""
    root = Path(tempfile.mkdtemp(prefix="ct-"))
    changes = {
        f"CT_ASSETS_{name}": str(free_port())
        for name in ("PORT", "VIEWERS_PORT", "PAGES_PORT", "CODE_PORT", "RAY_PORT")
    }
    changes |= {
        "CT_ASSETS_POSTGRES_PORT": str(database.port),
        "CT_ASSETS_POSTGRES_DB": NAME,
        "CT_ASSETS_POSTGRES_USER": NAME,
        "CT_ASSETS_POSTGRES_PASSWORD": PASSWORD,
        "CT_ASSETS_RAY_ADDRESS": f"127.0.0.1:{changes['CT_ASSETS_RAY_PORT']}",
        "CT_ASSETS_PAGES_URL": f"http://127.0.0.1:{changes['CT_ASSETS_PAGES_PORT']}",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        "CT_ASSETS_DEVICE": "cpu",
        "PYTHONPATH": str(REPOSITORY),
    }
    server = Server(root, changes)
    _configure(root / "etc")
    home = root / "lib/data"
    make_collection(home / "demo/dicom")
    install_models(home / "models")
    (root / "lib/state").mkdir()
    web, viewers = (
        GraphQL(f"http://127.0.0.1:{changes[port]}") for port in ("CT_ASSETS_PORT", "CT_ASSETS_VIEWERS_PORT")
    )
    try:
        server.start("ray", "code", "daemon", "web", "viewers", "pages")
        wait(240, lambda there: there, lambda: web.knows_the_code() and viewers.knows_the_code())
        yield Installation(server, database, web, viewers, home)
    finally:
        server.stop()
        shutil.rmtree(root)


@pytest.fixture(scope="package")
def selected(installed: Installation) -> list[str]:
    """The series of the demo collection, registered by its cohort table."""
    installed.web.materialize("cohort_table")
    cohort = COHORT.read(CollectionFolder(installed.home / "demo").cohort.cohort)
    return list(cohort.loc[cohort["selected"], "SeriesInstanceUID"])


@dataclass(frozen=True)
class Quiet:
    """A backfill of all series that nothing disturbed: what Dagster says of it, and the objects of each series."""

    found: dict[str, Any]
    objects: dict[str, dict[str, str]]


@pytest.fixture(scope="package")
def quiet(installed: Installation, selected: list[str]) -> Quiet:
    found = installed.web.backfill(installed.web.start_backfill(selected))
    return Quiet(found, {uid: installed.objects(uid) for uid in selected})


def _configure(etc: Path) -> None:
    """Put the configuration where docs/service.md says, with one model instead of three."""
    (etc / "collections").mkdir(parents=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(DEPLOY / name, etc / name)
    demo = (REPOSITORY / "collections/demo.yaml").read_text()
    one = re.sub(r"configurations: \[.*\]", f"configurations: [{CONFIGURATION}]", demo)
    assert one != demo
    (etc / "collections/demo.yaml").write_text(one)
