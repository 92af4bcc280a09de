"""What the command line shows of the status of collections."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ct_assets.cohort_table.display import bar, count, size
from ct_assets.status import CollectionStatus, Failed

_BAR_CHARACTERS = 20
_SERIES_SHOWN = 3


def show(collections: Sequence[CollectionStatus]) -> None:
    """Print one table of all collections, then for each what a person can act on.

    Parameters
    ----------
    collections : sequence of CollectionStatus
        At least one.
    """
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    console.print(_overview(collections))
    for status in collections:
        for line in _details(status):
            console.print(line, soft_wrap=True, markup=False)


def _overview(collections: Sequence[CollectionStatus]) -> Table:
    table = Table()
    table.add_column("collection", no_wrap=True)
    for name in ("series", "annotated", "unfit", "failed", "running", "queued", "missing", "to review"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True)
    for status in collections:
        unfit = sum(status.unfit.values())
        failed = sum(len(group.series) for group in status.failed)
        numbers = (
            status.registered,
            status.annotated,
            unfit,
            failed,
            len(status.running),
            status.queued,
            status.missing,
        )
        table.add_row(
            status.collection,
            *(count(number) for number in numbers),
            "no report" if status.to_review is None else count(status.to_review),
            bar((status.annotated + unfit) / max(status.registered, 1), _BAR_CHARACTERS),
        )
    return table


def _details(status: CollectionStatus) -> list[str]:
    lines = [f"\n{status.collection}"]
    lines += [f"  failed, {_failed(group)}" for group in status.failed]
    lines += [f"  running: {uid}" for uid in status.running]
    lines += [f"  unfit, {reason}: {count(series)}" for reason, series in status.unfit.items()]
    if status.excluded:
        lines.append(f"  excluded by the selection: {_counted(status.excluded)}")
    if status.to_review:
        lines.append(f"  to review: ct-assets review {status.collection} --queue")
    lines += [f"  cannot be read: {problem}" for problem in status.problems]
    if status.seconds_per_stage:
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in status.seconds_per_stage.items())
        lines.append(f"  seconds per series: {stages}; in all {sum(status.seconds_per_stage.values()):.1f}")
    disk = status.disk
    lines.append(
        f"  disk: {count(disk.series)} series with files, about {size(disk.series_bytes)} each, "
        f"{size(disk.series * disk.series_bytes)} in all; {size(disk.free_bytes)} free"
    )
    return lines


def _failed(group: Failed) -> str:
    more = len(group.series) - _SERIES_SHOWN
    series = ", ".join(group.series[:_SERIES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    left = f" ({group.left} of them left to you: no more attempts)" if group.left else ""
    return f"{group.reason}: {count(len(group.series))} series{left}: {series}"


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count(series)}" for reason, series in reasons.items())
