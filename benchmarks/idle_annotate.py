"""`ct-assets annotate` on very small series with the idle chain: what it takes for a series beside the work on it."""

import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np

from benchmarks.idle_chain import without_work
from ct_assets import run
from ct_assets.cli.main import folder_collection
from ct_assets.definitions import collection_definitions
from ct_assets.demo.dicom_writer import Identity, Plane, write_series
from ct_assets.demo.models import install_models
from ct_assets.installation import resources
from ct_assets.settings import settings
from resources.series_store import SeriesStore

_SLICES = 3
_FEW, _MANY = 5, 25


@dataclass(frozen=True)
class Overhead:
    """Seconds of wall-clock and CPU per series: by how much `_MANY` take more than `_FEW`; what is done once is out."""

    seconds: float
    cpu_seconds: float


def time_annotate(instance: dg.DagsterInstance, scratch: Path) -> Overhead:
    """Annotate two collections of small series and compare.

    Parameters
    ----------
    instance : DagsterInstance
        Where the runs are recorded.
    scratch : Path
        Empty folder.
    """
    install_models(Path(settings().home) / "models")
    run.collection_definitions = lambda collection: without_work(  # type: ignore[attr-defined]
        collection_definitions(collection), keep=("cohort_table",)
    )
    few, many = (_annotate(count, instance, scratch / str(count)) for count in (_FEW, _MANY))
    return Overhead(*(round((b - a) / (_MANY - _FEW), 3) for a, b in zip(few, many, strict=True)))


def _annotate(series: int, instance: dg.DagsterInstance, scratch: Path) -> tuple[float, float]:
    for number in range(series):
        _write(scratch / "dicom" / str(number), number)
    segmentation = {"model": "demo", "configurations": ("3d_fullres",), "tta": False}
    collection = folder_collection(scratch / "dicom", segmentation, minimum_slices=2)
    provided = resources()
    provided["series_store"] = SeriesStore(root=str(scratch), folders={"annotations": str(scratch / "out")})
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = run.annotate(collection, instance=instance, resources=provided)
    assert [one.status for one in outcome.series] == ["annotated"] * series, outcome.series
    return time.perf_counter() - wall, time.process_time() - cpu


def _write(folder: Path, number: int) -> None:
    hu = np.zeros((16, 16), dtype=np.int16)
    planes = [
        Plane(hu, (0.0, 0.0, 2.0 * rank), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 1.0), 2.0) for rank in range(_SLICES)
    ]
    write_series(folder, Identity(f"patient {number}", number, 1), planes, description="small")
