"""Do the SRs of a series say what its tables say."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.dicom_sr.read import UnusableReportError, read_features, read_landmarks, read_regions
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES

_RELATIVE_TOLERANCE = 1e-9


def differences(folder: SeriesFolder, models: tuple[str, ...]) -> list[str]:
    """Compare the SRs of a series with its tables.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    models : tuple of str
        Models that have shape features.

    Returns
    -------
    list of str
        What differs; empty if nothing does.
    """
    comparisons: list[Callable[[SeriesFolder], Iterator[str]]] = [partial(_features, model=model) for model in models]
    problems: list[str] = []
    for compare in (*comparisons, _landmarks, _regions):
        try:
            problems += compare(folder)
        except UnusableReportError as error:
            problems.append(str(error))
    return problems


def _features(folder: SeriesFolder, model: str) -> Iterator[str]:
    table = SHAPE_FEATURES.read(folder.shape_features)
    expected = table[(table["model"] == model) & table["value"].notna()].set_index(["organ", "feature"])["value"]
    path = folder.features_sr(model)
    if not path.is_file():
        yield from [f"{path.name} is missing"] if len(expected) else []
        return
    found = read_features(path).set_index(["organ", "feature"])["value"]
    if set(found.index) != set(expected.index) or found.index.has_duplicates:
        yield f"{path.name}: holds {len(found)} values, the table {len(expected)}"
    elif not np.allclose(found.reindex(expected.index), expected, rtol=_RELATIVE_TOLERANCE, atol=0):
        yield f"{path.name}: values differ from the table"


def _landmarks(folder: SeriesFolder) -> Iterator[str]:
    table = LANDMARKS.read(folder.landmarks)
    located = table[table["located"]]
    expected = set(zip(located["landmark"], located["SOPInstanceUID"], strict=True))
    path = folder.landmarks_sr
    if not path.is_file():
        yield from [f"{path.name} is missing"] if expected else []
        return
    found = read_landmarks(path)
    yield from _unknown_instances(folder, path.name, set(found["SOPInstanceUID"]))
    if set(zip(found["landmark"], found["SOPInstanceUID"], strict=True)) != expected or len(found) != len(expected):
        yield f"{path.name}: landmarks differ from the table"


def _regions(folder: SeriesFolder) -> Iterator[str]:
    slices = read_ct_record(folder.ct_record).slices
    regions = read_body_part_record(folder.bpr_record).slice_regions
    expected = {(name, entry.sop_instance_uid) for entry, names in zip(slices, regions, strict=True) for name in names}
    path = folder.regions_sr
    if not path.is_file():
        yield from [f"{path.name} is missing"] if expected else []
        return
    found = read_regions(path)
    yield from _unknown_instances(folder, path.name, set(found["SOPInstanceUID"]))
    if set(zip(found["region"], found["SOPInstanceUID"], strict=True)) != expected or len(found) != len(expected):
        yield f"{path.name}: regions differ from the slice regions"


def _unknown_instances(folder: SeriesFolder, name: str, referenced: set[str]) -> Iterator[str]:
    unknown = referenced - {entry.sop_instance_uid for entry in read_ct_record(folder.ct_record).slices}
    if unknown:
        yield f"{name}: refers to {len(unknown)} instances that are not in the CT"
