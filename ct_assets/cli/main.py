"""The command line: annotate a folder of DICOM, make the demo; other commands are in cli_*.py."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from ct_assets.cli.cohort import cohort, fetch
from ct_assets.cli.errors import EXIT_INCOMPLETE, clear_errors
from ct_assets.cli.export import export, export_nifti
from ct_assets.cli.logs import JSON, MANAGED, TEXT, Commands, is_json, set_up
from ct_assets.cli.models import models
from ct_assets.cli.prune import prune
from ct_assets.cli.query import query
from ct_assets.cli.report import report
from ct_assets.cli.restore import restore
from ct_assets.cli.review import review
from ct_assets.cli.sign_off import sign_off
from ct_assets.cli.status import status
from ct_assets.cli.upgrade import upgrade
from ct_assets.cli.validate import validate
from ct_assets.collection import Collection, load_collection
from ct_assets.settings import PROJECT_ROOT, settings

logger = logging.getLogger(__name__)

_AGAIN = "Make series that are finished already again."
_BODY_PART_MODEL = {"demo": "demo", "segthor": "bpr_public"}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ct-assets")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, not only problems.")
@click.option(
    "--log-format", type=click.Choice([TEXT, JSON]), default=TEXT, show_default=True, envvar="CT_ASSETS_LOG_FORMAT",
    help="json: one line of JSON per record on the standard error, errors included; also CT_ASSETS_LOG_FORMAT.",
)  # fmt: skip
def main(verbose: bool, log_format: str) -> None:
    """Annotate chest CT: DICOM in; organ segmentations, landmarks, shape features as DICOM SEG and SR, and QC out."""
    set_up(verbose, log_format)
    try:
        state = settings().state
    except ValidationError as error:
        message = "; ".join(f"CT_ASSETS_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise click.ClickException(message) from error
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_ROOT))
    os.environ.setdefault("CT_ASSETS_STATE", str(state))
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")


@main.command()
@click.argument("dicom_dir", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("annotations"), show_default=True,
    help="Folder for the results: OUT/series/<SeriesInstanceUID>/… and OUT/cohort/report.html.",
)  # fmt: skip
@click.option(
    "--models", type=click.Choice(["demo", "segthor"]), default="demo", show_default=True,
    help="demo: demonstration models that come with ct-assets, not for real anatomy. segthor: the SegTHOR nnU-Net "
    "and the public body part regression, once installed (docs/models.md).",
)  # fmt: skip
@click.option(
    "--config", "configurations", type=click.Choice(["2d", "3d_lowres", "3d_fullres"]), multiple=True,
    default=("3d_fullres",), show_default=True, help="nnU-Net configuration; may be given several times.",
)  # fmt: skip
@click.option(
    "--tta/--no-tta", default=False, show_default=True, help="Average over mirrored inputs: slower, little better."
)
@click.option(
    "--fold",
    "folds",
    type=click.IntRange(0),
    multiple=True,
    help="Fold to use; may be given several times; default: all that the model has.",
)
@click.option("--fast", is_flag=True, help="Fold 0 alone, not mirrored; what that costs is in docs/performance.md.")
@click.option(
    "--step-size",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Step of the sliding window as a fraction of the patch.",
)
@click.option(
    "--precision",
    type=click.Choice(["mixed", "float32"]),
    default="mixed",
    show_default=True,
    help="mixed: half precision on a GPU, as nnUNet_predict; float32: everywhere.",
)
@click.option(
    "--minimum-slices", type=click.IntRange(2), default=20, show_default=True, help="Fewest slices of a fit series."
)
@click.option("--again", is_flag=True, help=_AGAIN)
def annotate(
    dicom_dir: Path,
    out: Path,
    models: str,
    configurations: tuple[str, ...],
    tta: bool,
    folds: tuple[int, ...],
    fast: bool,
    step_size: float,
    precision: str,
    minimum_slices: int,
    again: bool,
) -> None:
    """Annotate every fit CT series below DICOM_DIR, one or many, mixed with other files.

    Series that OUT already has, made from the same files with the same options, are kept: an interrupted call goes on
    where it stopped. Unfit series are listed with the reason.

    Exit code 0: every fit series was annotated and every file could be read; 1: nothing could be annotated;
    3: some series or files failed.
    """
    from ct_assets.demo.models import install_models

    out = out.expanduser().resolve()
    if fast and (tta or folds):
        message = "--fast is one fold, not mirrored: give it without --tta and --fold"
        raise click.UsageError(message)
    network = {"preset": "fast"} if fast else {"tta": tta, "folds": tuple(dict.fromkeys(folds)) or None}
    segmentation = {
        "model": models,
        "configurations": tuple(dict.fromkeys(configurations)),
        "step_size": step_size,
        "precision": precision,
        **network,
    }
    collection = folder_collection(dicom_dir, segmentation, minimum_slices=minimum_slices)
    with clear_errors():
        if not dicom_dir.is_dir():
            message = f"{dicom_dir}: no such folder; give the folder that holds the DICOM files"
            raise click.ClickException(message)
        if models == "demo":
            install_models(Path(settings().home) / "models")
        import dagster as dg

        _annotate(
            collection,
            dg.DagsterInstance.ephemeral(settings=MANAGED if is_json() else None),
            {"annotations": str(out)},
            again=again,
        )


@main.command()
@click.option("--models-only", is_flag=True, help="Install the demonstration models and stop.")
@click.option("--again", is_flag=True, help=_AGAIN)
def demo(models_only: bool, again: bool) -> None:
    """Make the demo collection of phantom chests, annotate it, and show the results (also in the web UI: make ui)."""
    from ct_assets.demo.collection import make_collection
    from ct_assets.demo.models import install_models

    with clear_errors():
        home = Path(settings().home).expanduser().resolve()
        click.echo(f"demonstration models: {home / 'models'}")
        install_models(home / "models")
        if models_only:
            return
        collection = load_collection(settings().collections / "demo.yaml")
        click.echo(f"demo collection: {collection.source.folder}")
        make_collection(collection.source.folder)
        import dagster as dg

        settings().state.mkdir(parents=True, exist_ok=True)
        _annotate(collection, dg.DagsterInstance.get(), {}, again=again)


def folder_collection(dicom_dir: Path, segmentation: dict[str, Any], *, minimum_slices: int = 20) -> Collection:
    """Return the collection that `annotate` makes of a folder.

    Parameters
    ----------
    dicom_dir : Path
        Folder of DICOM files.
    segmentation : dict
        Its `organ_segmentation`, whose model is demo or segthor.
    minimum_slices : int
        Fewest slices of a fit series.
    """
    models = segmentation["model"]
    return Collection.model_validate(
        {
            "name": "annotations",
            "title": f"CT series below {dicom_dir.name}",
            "demonstration": models == "demo",
            "source": {"kind": "folder", "path": str(dicom_dir.expanduser().resolve())},
            "selection": {"minimum_slices": minimum_slices},
            "organ_segmentation": segmentation,
            "body_part_regression": {"model": _BODY_PART_MODEL[models]},
        }
    )


def _annotate(collection: Collection, instance: Any, folders: dict[str, str], *, again: bool) -> None:
    """Annotate with progress, print the summary, and exit with what it means."""
    from ct_assets import run
    from ct_assets.cli import summary
    from ct_assets.installation import resources
    from ct_assets.step_name import STAGES
    from resources.series_store import SeriesStore

    provided = resources()
    provided["series_store"] = SeriesStore(root=settings().home, folders=folders, pages_url=settings().pages_url)
    progress = contextlib.nullcontext(_log_stage(collection)) if is_json() else summary.progress(len(STAGES))
    with progress as on_stage:
        outcome = run.annotate(collection, instance=instance, resources=provided, on_stage=on_stage, again=again)
    summary.show(outcome, collection)
    annotated = any(series.status == "annotated" for series in outcome.series)
    sys.exit(0 if outcome.complete and annotated else EXIT_INCOMPLETE if annotated else 1)


def _log_stage(collection: Collection) -> Callable[[str, str], None]:
    def on_stage(uid: str, stage: str) -> None:
        about = {"collection": collection.name, "series": uid or None, "stage": stage}
        logger.info("%s begins", stage, extra=about)

    return on_stage


main.add_command(cohort)
main.add_command(export)
main.add_command(export_nifti)
main.add_command(fetch)
main.add_command(models)
main.add_command(prune)
main.add_command(query)
main.add_command(report)
main.add_command(restore)
main.add_command(review)
main.add_command(sign_off)
main.add_command(status)
main.add_command(upgrade)
main.add_command(validate)
