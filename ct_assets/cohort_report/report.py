"""What cohort_report makes: the tables of all series in one, fences of the cohort, its rules judged anew, the page."""

import importlib.metadata
from dataclasses import dataclass
from functools import cache, partial
from typing import get_args

import pandas as pd

from ct_assets.cohort_report.compact import compact
from ct_assets.cohort_report.distributions import distributions
from ct_assets.cohort_report.page import cohort_page
from ct_assets.cohort_report.rejected import RejectedRow, without_rejected
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.organs import Configuration
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.review.digests import read_judgeable
from ct_assets.review.history import collection_reviews
from ct_assets.store.atomic import write_text
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.record import RecordError
from ct_assets.store.series_tables import UnreadableTable
from ct_assets.store.tables import CHARACTERISTICS, COHORT, DISTRIBUTIONS, QC, SELECTION_FLOW, SHAPE_FEATURES

_PACKAGES = ("ct-assets", "nnunet", "bpreg", "pyradiomics", "highdicom", "dcm2niix")


@dataclass(frozen=True)
class CohortReport:
    """The judged QC table of a collection, the files that are not in it, and what reviewers rejected of it.

    What is rejected is in the table, but neither in the fences nor in the figures; the page lists it.
    """

    qc: pd.DataFrame
    unreadable: tuple[UnreadableTable, ...]
    rejected: tuple[RejectedRow, ...]


def make_report(collection: Collection, store: CollectionFolder) -> CohortReport:
    """Write the tables and the page of a collection.

    Parameters
    ----------
    collection : Collection
        The collection.
    store : CollectionFolder
        Its results. Written: cohort/qc.parquet, shape_features.parquet, distributions.parquet and report.html.

    Returns
    -------
    CohortReport
        Every rule judged by the limits that hold for the whole cohort now.
    """
    cohort = COHORT.read(store.cohort.cohort)
    selected = [str(uid) for uid in cohort.loc[cohort["selected"], "SeriesInstanceUID"]]
    unfit, unreadable_records = _unfit(store, selected)
    series = [store.series(uid) for uid in selected if uid not in unfit]
    measured, unreadable = compact(QC, [folder.qc_table for folder in series], "qc_report")
    measured = measured[~_of_other_models(measured, collection)]
    features, unreadable_features = compact(
        SHAPE_FEATURES, [folder.shape_features for folder in series], "shape_features"
    )
    features = features[~_of_other_models(features, collection)]
    left = partial(without_rejected, store=store, reviews=collection_reviews(store), judgeable=cache(read_judgeable))
    shown_features, _ = left(features)
    found = distributions(left(measured)[0], shown_features)
    qc = judged(measured, LimitsInForce(collection.qc, found), collection.qc.largest_region)
    QC.write(qc, store.cohort.qc_table)
    SHAPE_FEATURES.write(features, store.cohort.shape_features)
    DISTRIBUTIONS.write(found, store.cohort.distributions)
    left_out = (*unreadable_records, *unreadable, *unreadable_features)
    shown, rejected = left(qc)
    counts = store.cohort.characteristics  # a cohort that an earlier version selected has none
    page = cohort_page(
        collection,
        shown,
        features=shown_features,
        cohort=cohort,
        selection_flow=SELECTION_FLOW.read(store.cohort.selection_flow),
        characteristics=CHARACTERISTICS.read(counts) if counts.is_file() else None,
        unfit=unfit,
        unreadable=left_out,
        rejected=rejected,
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
    )
    write_text(store.cohort.report, page)
    return CohortReport(qc, left_out, tuple(rejected))


def _of_other_models(rows: pd.DataFrame, collection: Collection) -> "pd.Series[bool]":
    """Return the rows of configurations that the collection has no longer, in series that were not made again since."""
    return rows["model"].isin(set(get_args(Configuration)) - set(collection.models))


def _unfit(store: CollectionFolder, uids: list[str]) -> tuple[dict[str, str], list[UnreadableTable]]:
    """Return the selected series that ct_nifti found unfit, with the reasons, and the records that are damaged."""
    unfit, damaged = {}, []
    for path in (store.series(uid).ct_record for uid in uids):
        if not path.is_file():
            continue
        try:
            record = read_ct_record(path, require_fit=False)
        except (OSError, RecordError) as error:
            damaged.append(UnreadableTable.of(path, error))
            continue
        if not record.fit:
            unfit[record.series_instance_uid] = "; ".join(record.reasons)
    return unfit, damaged
