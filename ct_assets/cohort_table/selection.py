"""Selection: which CT series of a header index are annotated, and why the others are not."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from ct_assets.cohort_table.criteria import CRITERIA, Criterion
from ct_assets.collection import Collection, Selection
from ct_assets.dicom.series import slice_normal
from ct_assets.store.tables import COHORT, SELECTION_FLOW

logger = logging.getLogger(__name__)

ONE_SERIES_PER_STUDY = "one_series_per_study"
"""Criterion that compares series; it is judged after those that look at one series alone."""


class NoCtError(ValueError):
    """A source whose files hold no CT image; the message says what was found."""


def select(instances: pd.DataFrame, collection: Collection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge every CT series of a header index.

    Parameters
    ----------
    instances : DataFrame
        Header index (`ct_assets.store.tables.INSTANCES`).
    collection : Collection
        Its `selection` gives the thresholds, its `expert` what an expert's SEG is.

    Returns
    -------
    cohort : DataFrame
        One row per CT series, selected or not, sorted by SeriesInstanceUID (`COHORT`).
    flow : DataFrame
        Series left after each criterion (`SELECTION_FLOW`).

    Raises
    ------
    NoCtError
        If there is no CT image at all.
    """
    images = ct_images(instances)
    if images.empty:
        raise NoCtError(_what_is_there(instances))
    experts = _expert_files(instances, collection)
    groups = images.groupby(images["SeriesInstanceUID"].fillna(""), sort=True)
    cohort = pd.DataFrame([_judge(str(uid), rows, collection, experts) for uid, rows in groups])
    if collection.selection.one_series_per_study:
        _keep_one_per_study(cohort)
    cohort["selected"] = cohort["failed_criteria"].map(len) == 0
    return cohort[list(COHORT.columns)], _flow(cohort, collection)


def ct_images(instances: pd.DataFrame) -> pd.DataFrame:
    """Return the CT images of a header index, every SOPInstanceUID once.

    The same instance in two places is one instance; the first file without a problem in sorted order stands for it.
    Files that share a SOPInstanceUID but not their place in the patient are kept, so that the conflict shows.

    Parameters
    ----------
    instances : DataFrame
        Header index.

    Returns
    -------
    DataFrame
        Rows with Modality CT.
    """
    images = instances[instances["Modality"] == "CT"]
    images = images.sort_values("file")
    images = images.sort_values("problem", key=lambda problem: problem.notna(), kind="stable")  # sound copies first
    place = (
        images["ImagePositionPatient"].map(str) + images["Rows"].map(str) + images["ImageOrientationPatient"].map(str)
    )
    identity = images["SOPInstanceUID"].fillna(images["file"]) + images["SeriesInstanceUID"].fillna("") + place
    return images[~identity.duplicated()].sort_values("file")


def _judge(uid: str, rows: pd.DataFrame, collection: Collection, experts: dict[str, list[str]]) -> dict[str, Any]:
    failures = {c.name: reason for c in CRITERIA if (reason := _reason(c, rows, collection.selection))}
    first = rows.iloc[0]
    return {
        "collection": collection.name,
        "PatientID": first["PatientID"],
        "StudyInstanceUID": first["StudyInstanceUID"],
        "SeriesInstanceUID": uid,
        "SeriesDescription": first["SeriesDescription"],
        "Modality": "CT",
        "instances": len(rows),
        "slice_spacing_mm": _median_spacing(rows),
        "slice_thickness_mm": rows["SliceThickness"].min(),
        "failed_criteria": list(failures),
        "reason": _in_words(list(failures.values())),
        "expert_files": experts.get(uid, []),
    }


def _reason(criterion: Criterion, rows: pd.DataFrame, selection: Selection) -> str | None:
    """Return why a series fails a criterion; one that breaks on it fails it, and the other series go on."""
    try:
        return criterion.judge(rows, selection)
    except Exception as error:
        logger.exception("criterion %s broke on %s", criterion.name, rows["file"].iloc[0])
        return f"could not be judged: {criterion.name} ({type(error).__name__}: {error})"


def _in_words(reasons: list[str]) -> str | None:
    """Join the reasons; what could not be evaluated is named only where nothing else is."""
    found = [reason for reason in reasons if not reason.startswith("not evaluated")]
    return "; ".join(found or reasons) or None


def _median_spacing(rows: pd.DataFrame) -> float | None:
    placed = rows[["ImagePositionPatient", "ImageOrientationPatient"]].dropna()
    if len(placed) < 2:
        return None
    normal = slice_normal(placed["ImageOrientationPatient"].iloc[0])
    positions = np.sort(np.stack(placed["ImagePositionPatient"].to_list()).astype(float) @ normal)
    return float(np.median(np.diff(positions)))


def _keep_one_per_study(cohort: pd.DataFrame) -> None:
    """Exclude all but one fit series of a study: most slices first, then the lowest UID."""
    fit = cohort[cohort["failed_criteria"].map(len) == 0]
    fit = fit[fit["StudyInstanceUID"].notna()]  # series without a study have no study in common
    order = fit.sort_values(["instances", "SeriesInstanceUID"], ascending=[False, True])
    for index in order.index[order.duplicated("StudyInstanceUID")]:
        cohort.loc[index, "failed_criteria"].append(ONE_SERIES_PER_STUDY)
        cohort.loc[index, "reason"] = "another series of the same study is annotated"


def _flow(cohort: pd.DataFrame, collection: Collection) -> pd.DataFrame:
    steps = [("ct", "CT series", len(cohort))]
    names = [(c.name, c.description) for c in CRITERIA]
    if collection.selection.one_series_per_study:
        names.append((ONE_SERIES_PER_STUDY, "one series of each study"))
    passed: set[str] = set()
    for name, description in names:
        passed.add(name)
        left = int(cohort["failed_criteria"].map(lambda failed, seen=frozenset(passed): not seen & set(failed)).sum())
        steps.append((name, description, left))
    rows = [(number, *step) for number, step in enumerate(steps)]
    return pd.DataFrame(rows, columns=list(SELECTION_FLOW.columns))


def _expert_files(instances: pd.DataFrame, collection: Collection) -> dict[str, list[str]]:
    """Files of expert segmentations by the series they refer to."""
    if collection.expert is None:
        return {}
    wanted = (instances["Modality"] == "SEG") & (instances["SeriesDescription"] == collection.expert.series_description)
    segs = instances[wanted & instances["ReferencedSeriesInstanceUID"].notna() & instances["problem"].isna()]
    return {str(uid): sorted(rows["file"]) for uid, rows in segs.groupby("ReferencedSeriesInstanceUID")}


def _what_is_there(instances: pd.DataFrame) -> str:
    found = instances["Modality"].fillna("unreadable or not DICOM").value_counts()
    listing = ", ".join(f"{count} {modality}" for modality, count in found.items())
    problems = instances[instances["problem"].notna()]
    example = f"; {problems['file'].iloc[0]} {problems['problem'].iloc[0]}" if len(problems) else ""
    return f"no CT image among {len(instances)} files ({listing}){example}; give a folder that holds CT series"
