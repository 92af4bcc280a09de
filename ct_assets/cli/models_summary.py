"""What the command line shows of models: a table of what is there, and progress while one is fetched."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from ct_assets.cohort_table.display import size
from resources.installed_model import Installation
from resources.model_inventory import ListedModel
from resources.model_progress import Report, Step

_DIGEST_SHOWN = 12
_WIDTH = 160


def show_models(models: list[ListedModel], root: str) -> None:
    """Print a table of models.

    Parameters
    ----------
    models : list of ListedModel
        The models.
    root : str
        Folder of the model store.
    """
    console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)
    table = Table(title=f"Models in {root}", title_justify="left")
    for name in ("model", "kind", "installed"):
        table.add_column(name)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("digest", no_wrap=True)
    table.add_column("demonstration")
    for model in models:
        table.add_row(
            model.name,
            model.kind,
            model.part or "not installed",
            "" if model.size is None else size(model.size),
            (model.digest or "")[:_DIGEST_SHOWN],
            "yes" if model.demonstration else "no",
        )
    console.print(table)
    for model in models:
        if model.note:
            name = f"{model.name}/{model.part}" if model.part else model.name
            console.print(f"{name}: {model.note}", soft_wrap=True, markup=False)


def show_installation(name: str, installation: Installation) -> None:
    """Print that a model is installed, and what it is.

    Parameters
    ----------
    name : str
        Name of the model.
    installation : Installation
        Where it is, and where it came from.
    """
    console = Console(highlight=False)
    done = "installed" if installation.new else "is installed already, and is kept (--again replaces it)"
    lines = [f"{name} {done}: {installation.folder}"]
    if installation.changed:
        lines.append("Its weights are not those that were installed: they were changed since.")
    lines += [f"{part}: SHA-256 of the weights {digest}" for part, digest in installation.weights.items()]
    if installation.absent:
        lines.append(f"not there: {', '.join(installation.absent)}")
    source = installation.source
    if source and source.md5_compared:
        version = f", version {source.version}" if source.version else ""
        lines.append(f"from {source.file}{version}, https://doi.org/{source.doi}: read its terms there")
    elif source:
        lines.append(f"from {source.file}, MD5 {source.md5}, which was not compared with Zenodo's")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


@contextmanager
def progress(name: str) -> Iterator[Report]:
    """Show how far an installation has come, a line for each of its steps; where there is no terminal, nothing.

    Parameters
    ----------
    name : str
        Name of the model.

    Yields
    ------
    callable
        To be called as the work goes on.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    tasks: dict[Step, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:

        def report(step: Step, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(f"{name}: {step}", total=total)
            shown.update(tasks[step], completed=done, total=total)

        yield report
