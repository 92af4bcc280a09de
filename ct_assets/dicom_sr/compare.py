"""Do the SRs of a series say what its tables say, and refer to nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.dicom.codes import feature_codes, landmark_names, organ_codes, region_names
from ct_assets.dicom_sr.read import MeasurementReport, UnusableReportError, read_report
from ct_assets.dicom_sr.references import unknown_references
from ct_assets.dicom_sr.rows import Row, qualitative_rows, quantitative_rows
from ct_assets.dicom_sr.tables import MEASUREMENT_TABLES, measurement_tables
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES

_RELATIVE_TOLERANCE = 1e-9

_Pairs = set[tuple[str | None, str | None]]


def differences(
    folder: SeriesFolder, models: Sequence[str], other_segs: Mapping[str, Sequence[Path]] | None = None
) -> list[str]:
    """Compare the SRs of a series with its tables, and with the instances that they may refer to.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    models : sequence of str
        Models that have shape features.
    other_segs : mapping of str to sequence of Path, optional
        Model -> SEGs from elsewhere that its SR may refer to, such as the expert's; that SR need not be there.

    Returns
    -------
    list of str
        What differs; empty if nothing does.
    """
    other_segs = other_segs or {}
    problems: list[str] = []
    reports: dict[Path, MeasurementReport] = {}
    for path in folder.reports:
        try:
            reports[path] = read_report(path)
        except UnusableReportError as error:
            problems.append(str(error))
    unreadable = bool(problems)
    others = [model for model in other_segs if model not in models and folder.features_sr(model).is_file()]
    for model in (*models, *others):
        problems += _features(folder, model, reports)
    problems += _landmarks(folder, reports)
    problems += _regions(folder, reports)
    problems += unknown_references(folder, reports.values(), other_segs)
    if not unreadable:
        problems += _tables(folder, reports.values())
    return problems


def _features(folder: SeriesFolder, model: str, reports: Mapping[Path, MeasurementReport]) -> Iterator[str]:
    table = SHAPE_FEATURES.read(folder.shape_features)
    measured = table[(table["model"] == model) & table["value"].notna()]
    expected = dict(zip(zip(measured["organ"], measured["feature"], strict=True), measured["value"], strict=True))
    path = folder.features_sr(model)
    if path not in reports:
        yield from _missing(path, expected)
        return
    organs = {organ.site.value: organ.name for organ in organ_codes().values()}
    features = {feature.quantity.value: feature.name for feature in feature_codes().values()}
    rows = list(quantitative_rows(reports[path]))
    found = {
        (organs.get(_value(row, "findingSite")), features.get(_value(row, "Quantity"))): row["Value"] for row in rows
    }
    if set(found) != set(expected) or len(found) != len(rows):
        yield f"{path.name}: holds {len(rows)} values, the table {len(expected)}"
    elif not np.allclose(
        np.array([found[key] for key in expected], dtype=float),
        np.array(list(expected.values()), dtype=float),
        rtol=_RELATIVE_TOLERANCE,
        atol=0,
    ):
        yield f"{path.name}: values differ from the table"


def _landmarks(folder: SeriesFolder, reports: Mapping[Path, MeasurementReport]) -> Iterator[str]:
    table = LANDMARKS.read(folder.landmarks)
    located = table[table["located"]]
    expected: _Pairs = set(zip(located["landmark"], located["SOPInstanceUID"], strict=True))
    path = folder.landmarks_sr
    if path not in reports:
        yield from _missing(path, expected)
        return
    rows = list(qualitative_rows(reports[path]))
    found = [
        landmark_names().get((_value(row, "ConceptCodeSequence"), _value(row, "topographical_modifier")))
        for row in rows
    ]
    if not _same(rows, found, expected):
        yield f"{path.name}: landmarks differ from the table"


def _regions(folder: SeriesFolder, reports: Mapping[Path, MeasurementReport]) -> Iterator[str]:
    slices = read_ct_record(folder.ct_record).slices
    regions = read_body_part_record(folder.bpr_record).slice_regions
    expected: _Pairs = {
        (name, entry.sop_instance_uid)
        for entry, in_slice in zip(slices, regions, strict=True)
        for name in in_slice
    }  # fmt: skip
    path = folder.regions_sr
    if path not in reports:
        yield from _missing(path, expected)
        return
    rows = list(qualitative_rows(reports[path]))
    if not _same(rows, [region_names().get(_value(row, "ConceptCodeSequence")) for row in rows], expected):
        yield f"{path.name}: regions differ from the slice regions"


def _tables(folder: SeriesFolder, reports: Iterable[MeasurementReport]) -> Iterator[str]:
    """Name the tables that are not what the SRs say."""
    parsed = measurement_tables(reports)
    for table, _, path in MEASUREMENT_TABLES:
        file = path(folder)
        try:
            same = table.read_arrow(file).equals(parsed[table.name])
        except (OSError, ValueError, pa.ArrowException) as error:
            yield f"{file.name}: cannot be read ({error})"
            continue
        if not same:
            yield f"{file.name}: is not what the SRs say"


def _missing(path: Path, expected: object) -> Iterator[str]:
    """Say that an SR is missing, unless it would be empty; one that cannot be read has been named."""
    if expected and not path.is_file():
        yield f"{path.name} is missing"


def _same(rows: Sequence[Row], names: Sequence[str | None], expected: _Pairs) -> bool:
    found = set(zip(names, (row["ReferencedSOPInstanceUID"] for row in rows), strict=True))
    return found == expected and len(rows) == len(expected)


def _value(row: Row, column: str) -> str:
    """Return the value of a code in a row; empty where it has none."""
    return str((row[column] or {}).get("CodeValue") or "")
