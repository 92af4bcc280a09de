"""What the command line shows: progress while a collection is annotated, a table when it is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.collection import Collection
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.organs import ORGANS
from ct_assets.outcome import CohortOutcome, SeriesOutcome
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.store.paths import SeriesFolder

_UID_SHOWN = 16


@contextmanager
def progress(stages: int) -> Iterator[Callable[[str, str], None]]:
    """Show one line per series with its stage; where there is no terminal, print a line per stage.

    Parameters
    ----------
    stages : int
        Stages of a series.

    Yields
    ------
    callable
        To be called with a series and the stage that begins.
    """
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}
        begun: dict[str, int] = {}

        def on_stage(uid: str, stage: str) -> None:
            name = f"series …{uid[-_UID_SHOWN:]}" if uid else "collection"
            if uid not in tasks:
                for task in tasks.values():
                    bar.update(task, completed=stages)
                tasks[uid] = bar.add_task(name, total=stages)
            begun[uid] = begun.get(uid, -1) + 1
            bar.update(tasks[uid], description=f"{name} {stage:<15}", completed=begun[uid])
            if not console.is_terminal:
                console.print(f"{name}: {stage}", highlight=False, soft_wrap=True)

        yield on_stage
        for task in tasks.values():
            bar.update(task, completed=stages)


def show(outcome: CohortOutcome, collection: Collection) -> None:
    """Print the annotated series, those that were not, and where the report is.

    Parameters
    ----------
    outcome : CohortOutcome
        What became of the collection.
    collection : Collection
        The collection; its first model gives the volumes.
    """
    console = Console(width=None if Console().is_terminal else 160, highlight=False)
    annotated = [series for series in outcome.series if series.status == "annotated"]
    if annotated:
        console.print(_table(annotated, collection))
    for status, title in (("unfit", "Unfit, not annotated"), ("failed", "Failed")):
        rows = [series for series in outcome.series if series.status == status]
        if rows:
            console.print(f"\n[bold]{title}[/bold]")
        for series in rows:
            name = series.series_instance_uid or "(no SeriesInstanceUID)"
            console.print(f"  {name}: {series.reason}", soft_wrap=True, markup=False)
    if len(outcome.unreadable):
        console.print("\n[bold]Files that could not be used[/bold]")
        for row in outcome.unreadable.to_dict("records"):
            console.print(f"  {row['file']}: {row['problem']}", soft_wrap=True, markup=False)
    _show_end(console, outcome, collection, len(annotated))


def _show_end(console: Console, outcome: CohortOutcome, collection: Collection, annotated: int) -> None:
    unfit = sum(series.status == "unfit" for series in outcome.series)
    failed = len(outcome.series) - annotated - unfit
    reused = sum(series.reused for series in outcome.series)
    before = f" ({reused} of them before, unchanged)" if reused else ""
    console.print(f"\n{annotated} series annotated{before}, {unfit} unfit, {failed} failed.")
    if collection.demonstration and annotated:
        console.print(f"[bold yellow]{DEMONSTRATION_NOTICE.capitalize()}.[/bold yellow]")
    if any(series.status == "annotated" and "fail" in series.checks.values() for series in outcome.series):
        command = f"ct-assets review {_shown(outcome.folder.path)} --queue"
        console.print(f"What failed waits for review: {command}", soft_wrap=True, markup=False)
    if outcome.report_problem:
        console.print(f"Report: not made: {outcome.report_problem}", soft_wrap=True, markup=False)
    elif outcome.report:
        console.print(f"Report: {_shown(outcome.report)}", soft_wrap=True, markup=False)


def _shown(path: Path) -> Path:
    """Shorten a path below the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _table(annotated: list[SeriesOutcome], collection: Collection) -> Table:
    model = collection.models[0]
    table = Table(title=f"{collection.title}: organ volumes by {model}", title_justify="left")
    table.add_column("series", no_wrap=True)
    for organ in ORGANS.values():
        table.add_column(f"{organ} mL", justify="right")
    for name in ("lung extent mm", "checks passed", "checks failed", "not judged", "seconds"):
        table.add_column(name, justify="right")
    for series in annotated:
        assert series.folder is not None
        failed = [name for name, outcome in series.checks.items() if outcome == "fail"]
        open_checks = [name for name, outcome in series.checks.items() if outcome not in {"pass", "fail"}]
        table.add_row(
            f"…{series.series_instance_uid[-_UID_SHOWN:]}",
            *_volumes(series.folder, model),
            _lung_extent(series.folder),
            str(len(series.checks) - len(failed) - len(open_checks)),
            f"{len(failed)}: {', '.join(failed)}" if failed else "0",
            f"{len(open_checks)}: {', '.join(open_checks)}" if open_checks else "0",
            "before" if series.reused else f"{series.seconds:.0f}",
        )
    return table


def _volumes(folder: SeriesFolder, model: str) -> list[str]:
    organs = read_label_map_record(folder.label_map_record(model)).organs
    return [f"{organs[organ].volume_ml:.0f}" if organs[organ].voxels else "not found" for organ in ORGANS.values()]


def _lung_extent(folder: SeriesFolder) -> str:
    extent = read_body_part_record(folder.bpr_record).lung_extent_mm
    return "not measurable" if extent is None else f"{extent:.0f}"
