"""Benchmark of what running the platform costs per series, and of very many series, on SQLite and on Postgres.

Run by `make bench-ops`; prints one JSON line last. The work in the assets and checks is left out (`idle_chain`); there
is nothing to compare with. Seconds are wall-clock on two cores with two runs at a time.

- `overhead_seconds_per_series_backfill`: a backfill of 20 series as the web UI launches it, a process per run, from the
  creation of the first run to the end of the last, per series; the larger of SQLite and Postgres.
- `overhead_seconds_per_series_annotate`: `ct-assets annotate`, one process for all series, in memory as that command
  has it; what 20 series more take.
- `register_100k_seconds`, `schedule_tick_seconds_100k`: registering 100,000 partitions, and the first tick of the
  schedule in a new process with nine in ten of them annotated; the larger of SQLite and Postgres.

The other figures are those of docs/scale.md. SIZES in the environment ("1000,10000") measures fewer.
"""

import json
import logging
import os
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.new_instance import Instance, new_instance

CORES = 2
SERIES = 20
SIZES = tuple(int(size) for size in os.environ.get("SIZES", "1000,10000,100000").split(","))

logger = logging.getLogger("bench-ops")


def main() -> None:
    """Measure, and print the figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logger.setLevel(logging.INFO)
    warnings.simplefilter("ignore", dg.BetaWarning)
    figures: dict[str, Any] = {}
    with new_instance("sqlite"):
        figures["annotate"] = {"memory": _time_annotate(dg.DagsterInstance.ephemeral())}
    for storage in ("sqlite", "postgres"):
        with new_instance(storage) as instance:
            figures["annotate"][storage] = _time_annotate(dg.DagsterInstance.from_config(str(instance.home)))
        with new_instance(storage) as instance:
            figures.setdefault("backfill", {})[storage] = _time_backfill(instance)
    figures["control_plane"] = [_measure(size, storage) for size in SIZES for storage in ("sqlite", "postgres")]
    largest = [row for row in figures["control_plane"] if row["series"] == max(SIZES)]
    headline = {
        "overhead_seconds_per_series_backfill": max(each["seconds"] for each in figures["backfill"].values()),
        "overhead_seconds_per_series_annotate": figures["annotate"]["memory"]["seconds"],
        "register_100k_seconds": max(row["register"] for row in largest),
        "schedule_tick_seconds_100k": max(row["schedule_tick_cold"] for row in largest),
    }
    print(json.dumps({**headline, **figures}))


def _time_annotate(instance: dg.DagsterInstance) -> dict[str, float]:
    from benchmarks.idle_annotate import time_annotate

    with tempfile.TemporaryDirectory(prefix="bench-ops-") as scratch:
        return asdict(_told("annotate", time_annotate(instance, Path(scratch))))


def _time_backfill(instance: Instance) -> dict[str, float]:
    from benchmarks.idle_service import serve_idle

    uids = [f"1.2.826.0.1.{number}" for number in range(SERIES)]
    with (
        tempfile.TemporaryDirectory(prefix="bench-ops-") as scratch,
        dg.DagsterInstance.from_config(str(instance.home)) as opened,
        serve_idle(instance, Path(scratch)) as service,
    ):
        opened.add_dynamic_partitions("demo_series", uids)
        return asdict(_told(f"backfill, {instance.storage}", service.time_backfill(uids, opened)))


def _measure(series: int, storage: str) -> dict[str, Any]:
    from benchmarks.control_plane import measure_control_plane

    with new_instance(storage) as instance:
        return asdict(_told("control plane", measure_control_plane(series, instance)))


def _told(what: str, result: Any) -> Any:
    logger.info("%s: %s", what, result)
    return result


if __name__ == "__main__":
    main()
