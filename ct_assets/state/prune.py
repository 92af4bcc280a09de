"""Trim what Dagster logged of old runs: their event logs and captured output."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from ct_assets.partitions import UNFINISHED
from ct_assets.state.event_log import EventLog, event_log
from ct_assets.state.prunable import EndedRun, prunable_runs

BATCH = 100
"""Runs of one transaction, so that nothing waits long for it."""


@dataclass
class Pruned:
    """What went: runs whose log there was, rows of the event log, and bytes; ``returned`` to the system by VACUUM."""

    runs: int = 0
    rows: int = 0
    log_bytes: int = 0
    output_bytes: int = 0
    returned: int = 0
    busy: bool = False


def prune(
    instance: dg.DagsterInstance,
    before: datetime,
    *,
    dry_run: bool = False,
    on_done: Callable[[int], None] = lambda _runs: None,
) -> Pruned:
    """Delete the logs of runs that ended before a moment; runs stay listed, and assets and checks keep their status.

    Parameters
    ----------
    instance : DagsterInstance
        Whose logs; it may be in use.
    before : datetime
        The moment, with a time zone.
    dry_run : bool, default False
        Only measure.
    on_done : callable, optional
        Told how many runs have been looked at.

    Returns
    -------
    Pruned
        What went, or would go.
    """
    log, pruned, looked_at = event_log(instance), Pruned(), 0
    runs = iter(list(prunable_runs(instance, before)))  # the list first: the service adds runs meanwhile
    while batch := list(islice(runs, BATCH)):
        _prune(instance, log, batch, pruned, dry_run=dry_run)
        looked_at += len(batch)
        on_done(looked_at)
    if not dry_run:
        pruned.busy = log.blocks_writers and bool(instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)))
        pruned.returned = 0 if pruned.busy else log.vacuum()
    return pruned


def _prune(instance: dg.DagsterInstance, log: EventLog, runs: list[EndedRun], pruned: Pruned, *, dry_run: bool) -> None:
    present = log.present(runs)
    rows, size = (log.measure if dry_run else log.prune)(present)
    pruned.runs += len(present)
    pruned.rows, pruned.log_bytes = pruned.rows + rows, pruned.log_bytes + size
    for run in runs:
        pruned.output_bytes += _output(instance, run.run_id)
        if not dry_run:
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])


def _output(instance: dg.DagsterInstance, run_id: str) -> int:
    """Return the bytes of what a run printed, where they are on this machine."""
    manager = instance.compute_log_manager
    if not isinstance(manager, LocalComputeLogManager):
        return 0
    folder = Path(manager.get_captured_local_path([run_id, "compute_logs", "x"], "out")).parents[1]
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
