"""Input of the DICOM benchmark: a CT of real size, four organs as large as in SegTHOR, and what is reported of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.ct_files import write_ct_files
from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.volume import save_label_map
from ct_assets.dicom.codes import feature_codes, landmark_codes, organ_codes
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.provenance import Provenance
from ct_assets.store.paths import SeriesFolder

MODEL = "3d_fullres"
SPACING_MM = (0.976562, 0.976562, 2.5)

Labels = npt.NDArray[np.uint8]
Path3d = tuple[tuple[float, float, float], ...]

_ESOPHAGUS, _HEART, _TRACHEA, _AORTA = 1, 2, 3, 4
_HEART_CENTRE_MM, _HEART_RADII_MM = (245.0, 215.0, 205.0), (60.0, 50.0, 48.0)
# Bends of each tube in mm from the grid's corner and its radius in mm; a later organ covers an earlier one.
_TUBES: dict[int, tuple[Path3d, float]] = {
    _ESOPHAGUS: (((255, 275, 110), (252, 285, 230), (250, 290, 370)), 7.0),
    _TRACHEA: (((205, 260, 240), (248, 262, 275), (250, 265, 375)), 8.5),
    _AORTA: (
        ((275, 300, 60), (275, 300, 295), (265, 275, 315), (240, 235, 315), (228, 220, 290), (235, 215, 250)),
        13.0,
    ),
}


@dataclass(frozen=True)
class Scan:
    """Files of a CT, its ct.json, and its label map as organ_seg leaves it."""

    files: tuple[Path, ...]
    record: CtRecord
    label_map: Path
    seg_record: LabelMapRecord

    @classmethod
    def make(cls, folder: Path, slices: int) -> "Scan":
        """Write and convert a CT of 512 by 512 pixels, and paint the organs on it."""
        write_ct_files(folder / "dicom", slices, slices=slices, pixel_mm=SPACING_MM[0])
        scan = cls.open(folder)
        assert scan.record.shape == (512, 512, slices), scan.record.reasons
        scan.label_map.parent.mkdir(parents=True)
        save_label_map(_paint(scan.record.shape), SeriesFolder(folder / "series").ct_nifti, scan.label_map)
        return scan

    @classmethod
    def open(cls, folder: Path) -> "Scan":
        """Return what `make` wrote; the conversion is done only once."""
        files = tuple(sorted((folder / "dicom").rglob("*.dcm")))
        series = SeriesFolder(folder / "series")
        record = CtRecord.read(series.ct_record, "ct_nifti") if series.ct_record.is_file() else convert(files, series)
        seg_record = LabelMapRecord(
            series_instance_uid=record.series_instance_uid,
            source_digest=record.source_digest,
            label_map_digest="0" * 64,
            provenance=provenance(MODEL, "nnunet 1.7.1"),
            organs={},
            seconds=0,
        )
        return cls(files, record, series.label_map(MODEL), seg_record)


def provenance(configuration: str, software: str) -> Provenance:
    """Return the provenance of a model with five folds."""
    return Provenance(
        name="bench",
        configuration=configuration,
        folds=(0, 1, 2, 3, 4),
        tta=True,
        step_size=0.5,
        weights_digest="0123456789abcdef" * 4,
        software=software,
        demonstration=False,
    )


def features(scan: Scan) -> pd.DataFrame:
    """Return 14 values for each of the four organs; what they are is of no account for writing them."""
    rows: list[dict[str, object]] = [
        {
            "SeriesInstanceUID": scan.record.series_instance_uid,
            "model": MODEL,
            "label": label,
            "segmentation": scan.seg_record.label_map_digest,
            "organ": organ.name,
            "feature": name,
            "value": (label + 0.25) * 10.0 ** (rank - 5) / 3,
            "unit": code.unit.value,
            "code": code.quantity.value,
            "components": 1,
            "at_border": [],
            "reason": None,
            "weights_digest": "0" * 64,
            "software": "pyradiomics 3.0.1",
        }
        for label, organ in organ_codes().items()
        for rank, (name, code) in enumerate(feature_codes().items())
    ]
    return pd.DataFrame(rows)


def landmarks(record: CtRecord) -> pd.DataFrame:
    """Return a landmark on every slice, more than any scan has."""
    rows = [
        {
            "SeriesInstanceUID": record.series_instance_uid,
            "landmark": name,
            "code": code.site.value,
            "score": 1.0,
            "located": True,
            "position_mm": entry.position_mm,
            "slice_index": index,
            "SOPInstanceUID": entry.sop_instance_uid,
            "reason": None,
        }
        for index, (entry, (name, code)) in enumerate(zip(record.slices, cycle(landmark_codes().items()), strict=False))
    ]
    return pd.DataFrame(rows)


def slice_regions(record: CtRecord) -> list[tuple[str, ...]]:
    """Return one or two regions for every slice."""
    half = len(record.slices) // 2
    return [("abdomen", "chest") if abs(index - half) < half // 5 else ("chest",) for index in range(2 * half)]


def _paint(shape: tuple[int, int, int]) -> Labels:
    labels = np.zeros(shape, dtype=np.uint8)
    _paint_ellipsoid(labels, _HEART, _HEART_CENTRE_MM, _HEART_RADII_MM)
    for label, (bends, radius) in _TUBES.items():
        for centre in _along(bends):
            _paint_ellipsoid(labels, label, centre, (radius,) * 3)
    return labels


def _along(bends: Path3d) -> Iterator[tuple[float, float, float]]:
    """Yield points one millimetre apart."""
    for start, end in pairwise(np.asarray(bends, dtype=float)):
        steps = int(np.linalg.norm(end - start))
        for step in range(steps):
            x, y, z = start + (end - start) * step / steps
            yield float(x), float(y), float(z)


def _paint_ellipsoid(
    labels: Labels, label: int, centre_mm: tuple[float, float, float], radii_mm: tuple[float, float, float]
) -> None:
    box = tuple(
        slice(int((centre - radius) / spacing), int((centre + radius) / spacing) + 2)
        for centre, radius, spacing in zip(centre_mm, radii_mm, SPACING_MM, strict=True)
    )
    distance = sum(
        ((index * spacing - centre) / radius) ** 2
        for index, spacing, centre, radius in zip(np.ogrid[box], SPACING_MM, centre_mm, radii_mm, strict=True)
    )
    labels[box][distance <= 1] = label
