"""A model on a server that speaks Zenodo's API, and what lies in the store when it is fetched from there."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from resources.cloud_clients import Patience
from resources.model_install import Installation, fetch_model
from resources.zenodo import CHUNK, Zenodo
from tests.resources.model_archives import BPR, FILES, RECORD, archive
from tests.resources.zenodo_server import Request, Spoil, ZenodoServer

QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, total=10, connect=2, silence=2, request=10)
ARCHIVE = archive(FILES)
CUT = 5 * CHUNK + 1000 + (1 << 20)
"""Bytes after which an answer is cut off: within the archive, and no whole number of pieces."""


@pytest.fixture
def server(zenodo_server) -> ZenodoServer:
    zenodo_server.records[RECORD] = {"readme.txt": b"read me", BPR.archive: ARCHIVE}
    return zenodo_server


def fetch(server: ZenodoServer, root: Path, model=BPR, patience: Patience = QUICK, **options) -> Installation:
    with Zenodo(server.endpoint, patience) as zenodo:
        return fetch_model(model, root, zenodo, **options)


def installed(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "bpr_public/bpreg").iterdir()}


def left(root: Path) -> list[str]:
    """What lies in the store beside models."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".partial/**/*") if path.is_file())


def once(server: ZenodoServer, spoil: Spoil) -> Callable[[Request], Spoil | None]:
    """Spoil the first download."""
    return lambda request: spoil if request.file and len(server.downloads) == 1 else None


def part_of(root: Path, content: bytes = ARCHIVE) -> Path:
    return root / ".partial/bpr_public" / f"{hashlib.md5(content).hexdigest()}.part"
