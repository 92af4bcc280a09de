"""Empty Dagster instances to measure: on SQLite as in the checkout, on Postgres as in deploy/."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ct_assets.settings import PROJECT_ROOT, settings
from tests.postgres import NAME, PASSWORD, postgres


@dataclass(frozen=True)
class Instance:
    """An empty Dagster instance: folder of its dagster.yaml, folder of its files, and the variables that it needs."""

    storage: str
    home: Path
    state: Path
    environment: dict[str, str]


@contextmanager
def new_instance(storage: str) -> Iterator[Instance]:
    """Give an empty instance, which this process and its children use until the block ends."""
    before = dict(os.environ)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-ops-")))
        environment = {
            "CT_ASSETS_STATE": str(scratch / "state"),
            "CT_ASSETS_HOME": str(scratch / "home"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        (scratch / "state").mkdir()
        home = PROJECT_ROOT
        if storage == "postgres":
            home = PROJECT_ROOT / "deploy"
            server = stack.enter_context(postgres())
            values = {"HOST": "127.0.0.1", "PORT": server.port, "DB": NAME, "USER": NAME, "PASSWORD": PASSWORD}
            environment |= {f"CT_ASSETS_POSTGRES_{name}": str(value) for name, value in values.items()}
        environment["DAGSTER_HOME"] = str(home)
        os.environ.update(environment)
        settings.cache_clear()
        try:
            yield Instance(storage, home, scratch / "state", environment)
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()
