"""Debian's Postgres in a folder of its own, on loopback by TCP with a password, as docs/service.md sets it up."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from tests.service import free_port

NAME, PASSWORD = "ct_assets", "a 'quoted' p@ss/word"


class Postgres:
    """A server with an empty database and its owner, both called ct_assets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "password").write_text(PASSWORD)
        self._call("initdb", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-N")
        self.start()
        self.query(f"CREATE ROLE {NAME} LOGIN PASSWORD %s", PASSWORD)
        self.query(f"CREATE DATABASE {NAME} OWNER {NAME}")

    @property
    def url(self) -> str:
        """Address of the database, as Dagster takes it."""
        return f"postgresql+psycopg2://{NAME}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> None:
        """Start, and return when it takes connections."""
        options = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories=''"
        self._call("pg_ctl", "start", "-w", "-t", "120", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """End at once, without a shutdown: as after a crash, the next start recovers from the log."""
        self._call("pg_ctl", "stop", "-m", "immediate")

    def query(self, statement: str, *values: str) -> None:
        """Run a statement as superuser."""
        with closing(psycopg2.connect(dbname="postgres", **self._superuser)) as connection:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            connection.cursor().execute(statement, values)

    def ask(self, statement: str) -> object:
        """The one value that a query as superuser has."""
        with closing(psycopg2.connect(dbname="postgres", **self._superuser)) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchone()[0]

    @property
    def _superuser(self) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": self.port, "user": "postgres", "password": PASSWORD}

    def _call(self, program: str, *arguments: str) -> None:
        """Run one of Postgres' programs, which refuse to run as root."""
        subprocess.run(
            [str(_programs() / program), "-D", str(self.folder / "data"), *arguments], cwd=self.folder, check=True,
            user="postgres" if os.geteuid() == 0 else None, stdout=subprocess.DEVNULL, timeout=180,
        )  # fmt: skip


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running Postgres, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ct-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _programs() -> Path:
    """Folder of Debian's newest Postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    assert found, "Postgres is missing; run tools/install_debian_packages.sh"
    return found[-1]
