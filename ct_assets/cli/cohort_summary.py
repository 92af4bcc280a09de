"""What the command line shows of a cohort: the selection flow, table 1, and progress while series are fetched."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ct_assets.cohort_table.display import bar, count, size
from ct_assets.store.paths import CohortFolder
from ct_assets.store.tables import CHARACTERISTICS, SELECTION_FLOW
from resources.fetch_progress import Progress as Fetching
from resources.series_download import RemoteSeries

_BAR_CHARACTERS = 16


def show(folder: CohortFolder, metadata: dict[str, Any]) -> None:
    """Print the selection flow, what the collection holds before and after it, and where the tables are.

    Parameters
    ----------
    folder : CohortFolder
        The cohort.
    metadata : dict
        Metadata of the materialization.
    """
    console = Console()
    flow = SELECTION_FLOW.read(folder.selection_flow)
    most = max(int(flow["series_left"].max()), 1)
    table = Table(title="Selection", title_justify="left")
    table.add_column("criterion", no_wrap=True)
    for name in ("left", "failed", "not evaluated"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True)
    for row in flow.to_dict("records"):
        left = int(row["series_left"])
        counts = (count(row[name]) if row[name] else "" for name in ("failed", "not_evaluated"))
        table.add_row(str(row["criterion"]), count(left), *counts, bar(left / most, _BAR_CHARACTERS))
    console.print(table)
    held = Table(title="Characteristics", title_justify="left")
    held.add_column("")
    held.add_column("before selection", justify="right")
    held.add_column("selected", justify="right")
    for name, *values in CHARACTERISTICS.read(folder.characteristics).itertuples(index=False):
        held.add_row("size" if name == "bytes" else name, *(size(v) if name == "bytes" else count(v) for v in values))
    console.print(held)
    if metadata["of_them_preselected"]:
        console.print(
            f"{count(metadata['of_them_preselected'])} series are preselected: decided when they are fetched."
        )
    for name in ("notes", "unreadable_files"):
        if metadata[name] not in ("none", 0):
            console.print(f"{name.replace('_', ' ')}: {metadata[name]}", soft_wrap=True, markup=False)
    console.print(f"Tables and manifests: {folder.path}", soft_wrap=True, markup=False)


@contextmanager
def fetch_progress(series: Sequence[RemoteSeries]) -> Iterator[Callable[[Fetching], None]]:
    """Show how much is fetched; where there is no terminal, nothing.

    Parameters
    ----------
    series : sequence of RemoteSeries
        What is to be fetched.

    Yields
    ------
    callable
        To be called with the progress.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    total = sum(one.size or 0 for one in series)
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task(f"0 of {len(series)} series", total=total or None)

        def on_progress(now: Fetching) -> None:
            description = f"{now.series_done} of {now.series_total} series"
            shown.update(task, completed=now.bytes_done, description=description)

        yield on_progress
