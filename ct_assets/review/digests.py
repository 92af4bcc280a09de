"""What can be judged in a series, by digests of its content: other content asks for another review."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.review.verdict import body_subjects, organs
from ct_assets.store.digest import json_digest
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import RecordError
from ct_assets.store.table import Table
from ct_assets.store.tables import LANDMARKS, REGIONS

BODY_PART = "body_part"
"""Name of the body part regression's results among the objects that are judged, whichever model made them."""


@dataclass(frozen=True)
class Judgeable:
    """What there is to judge in a series: the digest of each label map, and that of the body part regression.

    Seconds and moments of writing do not enter: the same content made again has the same digest.
    """

    label_maps: dict[str, str] = field(default_factory=dict)
    body_part: str | None = None
    body_part_model: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, the body part regression last."""
        return (*self.label_maps, *([self.body_part_model] if self.body_part_model else []))

    def of(self, model: str | None = None, subject: str | None = None) -> dict[str, str]:
        """Return the digests of what a verdict on a model and a subject is about.

        Parameters
        ----------
        model : str, optional
            Name of a label map, or of the body part regression's model; none: all.
        subject : str, optional
            Organ, landmark or region; none: all.

        Returns
        -------
        dict of str to str
            Object -> digest; a part of an object is judged with the whole of it. Empty where there is no such object.
        """
        maps = {name: digest for name, digest in self.label_maps.items() if model in {None, name}}
        body = {}
        if self.body_part is not None and model in {None, self.body_part_model}:
            body = {BODY_PART: self.body_part}
        if subject is None:
            return {**maps, **body}
        return {**(maps if subject in organs() else {}), **(body if subject in body_subjects() else {})}


def read_judgeable(folder: SeriesFolder) -> Judgeable:
    """Read what there is to judge in a series now.

    Parameters
    ----------
    folder : SeriesFolder
        The series; an asset that has not been materialized gives nothing to judge.

    Raises
    ------
    RecordError
        If what an asset wrote is damaged or of another version.
    """
    try:
        return _judgeable(folder)
    except RecordError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        message = f"{folder.path}: what is to be reviewed cannot be read ({error}); materialize it again"
        raise RecordError(message) from error


def _judgeable(folder: SeriesFolder) -> Judgeable:
    label_maps = {path.stem: read_label_map_record(path).label_map_digest for path in folder.label_map_records}
    if not (folder.bpr_record.is_file() and folder.landmarks.is_file() and folder.regions.is_file()):
        return Judgeable(label_maps)
    record = read_body_part_record(folder.bpr_record)
    content = {
        "landmarks": _rows(LANDMARKS, folder.landmarks),
        "regions": _rows(REGIONS, folder.regions),
        "slice_scores": record.slice_scores,
        "slice_regions": record.slice_regions,
    }
    return Judgeable(label_maps, json_digest(content), record.provenance.name)


def _rows(table: Table, path: Path) -> list[dict[str, object]]:
    """Return rows in their order as JSON has them: a value that is missing is null."""
    return [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in table.read_arrow(path).to_pylist()
    ]
