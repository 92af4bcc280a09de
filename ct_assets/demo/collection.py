"""The demo collection: six fit phantoms, one of them scanned short and one drawn wrong, and three unfit series."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from ct_assets.demo.anatomy import sample_patient
from ct_assets.demo.dicom_writer import Identity, Plane, ct_instances, write_series
from ct_assets.demo.expert import expert_masks, write_expert
from ct_assets.demo.phantom import SCAN_TOP, Phantom, render, sample_grid

logger = logging.getLogger(__name__)

GENERATOR_VERSION = "1"
"""Version of everything that determines the files; a collection made by another version is made anew."""
DEFAULT_SEED = 20200
"""Seed of the demo collection."""
STAMP = "demo.json"
"""Name of the file that says how the collection was made."""
SHORT_TOP = 38.0
"""Height in atlas mm at which the short scan ends, 48 mm below the lung apex."""
EXPERT_SHIFT = 17.5
"""Distance in mm, to the left and to the back each, by which the wrong expert's masks are off."""
TILT = 12.0
"""Gantry tilt of the unfit series in degrees."""


@dataclass(frozen=True)
class Case:
    """One patient of the demo collection and what is special about it."""

    number: int
    kind: str
    """whole, short, misdrawn, reversed, localizer, gap or tilted."""
    note: str

    @property
    def patient_id(self) -> str:
        """Patient ID, DEMO-001 and on."""
        return f"DEMO-{self.number:03d}"

    @property
    def fit(self) -> bool:
        """Whether the series can be annotated."""
        return self.kind not in {"localizer", "gap", "tilted"}


CASES: tuple[Case, ...] = (
    Case(1, "whole", "lower neck to upper abdomen"),
    Case(2, "whole", "lower neck to upper abdomen"),
    Case(3, "reversed", "files stored from the head to the feet"),
    Case(4, "whole", "lower neck to upper abdomen"),
    Case(5, "short", "the scan ends several cm below the lung apex"),
    Case(6, "misdrawn", "the expert segmentation is shifted to the left and the back"),
    Case(7, "localizer", "unfit: two localizer images"),
    Case(8, "gap", "unfit: one slice is missing"),
    Case(9, "tilted", "unfit: acquired with a tilted gantry"),
)
"""The patients of the demo collection."""


def make_collection(folder: Path, seed: int = DEFAULT_SEED) -> Path:
    """Write the demo collection, unless it is already there.

    Parameters
    ----------
    folder
        The folder of the collection: <PatientID>/CT/IM0001.dcm and on, <PatientID>/SEG/expert.dcm for the fit
        patients, demo.json.
        A folder there that an earlier call made with another seed or version is replaced.
    seed
        Seed of the patients.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder holds anything else than a demo collection.
    """
    stamp = {"schema_version": 1, "seed": seed, "generator_version": GENERATOR_VERSION}
    if folder.exists():
        if _stamped(folder) == stamp:
            logger.info("demo collection is already in %s", folder)
            return folder
        if _stamped(folder) is None and any(folder.iterdir()):
            msg = f"{folder} exists and is no demo collection; choose another folder or remove it"
            raise FileExistsError(msg)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scratch.chmod(0o755)
        for case in CASES:
            write_case(scratch / case.patient_id, case, seed)
        (scratch / STAMP).write_text(json.dumps(stamp, indent=1) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return folder


def case_phantom(case: Case, seed: int = DEFAULT_SEED) -> Phantom:
    """Render the phantom behind a case of the collection."""
    patient = sample_patient(seed + case.number)
    return render(patient, sample_grid(patient, top=SHORT_TOP if case.kind == "short" else SCAN_TOP))


def write_case(folder: Path, case: Case, seed: int) -> None:
    """Write one patient's files."""
    phantom = case_phantom(case, seed)
    identity = Identity(case.patient_id, case.number, seed)
    planes, numbers = _planes(case, phantom)
    description = "Localizer" if case.kind == "localizer" else "Chest phantom"
    write_series(folder / "CT", identity, planes, description=description, numbers=numbers)
    if case.fit:
        masks = expert_masks(phantom, shift=EXPERT_SHIFT if case.kind == "misdrawn" else 0.0)
        if case.kind == "reversed":
            masks = masks[::-1]
        sources = list(ct_instances(identity, planes, description=description, numbers=numbers))
        write_expert(folder / "SEG" / "expert.dcm", identity, sources, masks)
    logger.info("%s: %d images, %s", case.patient_id, len(planes), case.note)


def _stamped(folder: Path) -> dict[str, object] | None:
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def _planes(case: Case, phantom: Phantom) -> tuple[list[Plane], list[int]]:
    """Give the images of a case in the order of their files, and their Instance Numbers."""
    if case.kind == "localizer":
        return _localizers(phantom), [1, 2]
    planes = _tilted_planes(phantom) if case.kind == "tilted" else _axial_planes(phantom)
    numbers = list(range(1, len(planes) + 1))
    if case.kind == "reversed":
        planes.reverse()
    if case.kind == "gap":
        missing = len(planes) // 2
        del planes[missing], numbers[missing]
    return planes, numbers


def _axial_planes(phantom: Phantom) -> list[Plane]:
    x, y, _ = phantom.grid.origin
    step, row, column = phantom.spacing
    return [
        Plane(hu, (x, y, float(z)), (1, 0, 0, 0, 1, 0), (row, column), step)
        for hu, z in zip(phantom.hu, phantom.grid.z, strict=True)
    ]


def _tilted_planes(phantom: Phantom) -> list[Plane]:
    """Cut the phantom in planes tilted about the left-right axis that follow each other along the table."""
    x, _, low = phantom.grid.origin
    step, row, column = phantom.spacing
    slices, rows, _ = phantom.hu.shape
    sine, cosine = float(np.sin(np.deg2rad(TILT))), float(np.cos(np.deg2rad(TILT)))
    middle = (rows - 1) / 2
    matrix = np.array([[1.0, sine * row / step, 0.0], [0.0, cosine, 0.0], [0.0, 0.0, 1.0]])
    offset = np.array([-sine * row / step * middle, middle * (1.0 - cosine), 0.0])
    hu = affine_transform(phantom.hu, matrix, offset, order=1, mode="constant", cval=-1024)
    centre = phantom.grid.origin[1] + row * middle
    first = (x, centre - cosine * row * middle, low - sine * row * middle)
    orientation = (1.0, 0.0, 0.0, 0.0, cosine, sine)
    return [
        Plane(hu[k], (first[0], first[1], first[2] + k * step), orientation, (row, column), step, tilt=TILT)
        for k in range(slices)
    ]


def _localizers(phantom: Phantom) -> list[Plane]:
    """Project the phantom from the front and from the side."""
    x, y, _ = phantom.grid.origin
    step, row, column = phantom.spacing
    top = float(phantom.grid.z[-1])
    front = phantom.hu.mean(axis=1)[::-1]
    side = phantom.hu.mean(axis=2)[::-1]
    return [
        Plane(np.rint(front).astype(np.int16), (x, 0.0, top), (1, 0, 0, 0, 0, -1), (step, column), 1.0, "LOCALIZER"),
        Plane(np.rint(side).astype(np.int16), (0.0, y, top), (0, 1, 0, 0, 0, -1), (step, row), 1.0, "LOCALIZER"),
    ]
