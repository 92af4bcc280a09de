"""Outcomes of asset checks as the store tells them: those that follow from its files, and those that annotate noted."""

from collections.abc import Iterator

import dagster as dg

from ct_assets.bpr_json.checks import score_results
from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.cohort_report.checks import cohort_results
from ct_assets.cohort_table.checks import cohort_table_checks
from ct_assets.completion import Completion, files_made
from ct_assets.ct_nifti.checks import fit_results
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.organ_seg.checks import organs_found_result
from ct_assets.partitions import Scope
from ct_assets.qc_report.applicable import rules_of
from ct_assets.qc_report.checks import rule_results
from ct_assets.sr_validation.checks import sr_validation_checks
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import RecordError
from resources.series_store import SeriesStore

ONLY_IN_A_RUN = {
    "ct_nifti": ("geometry_matches_dicom",),
    "dicom_seg": ("seg_reads_back", "seg_dciodvfy"),
    "dicom_sr": ("sr_reads_back", "sr_dciodvfy"),
}
"""Checks that compare files with each other or with the source: only complete.json keeps their outcomes."""


def series_results(asset: str, scope: Scope, store: SeriesStore, uid: str) -> Iterator[dg.AssetCheckResult]:
    """Return what is known of the checks of an asset of a series.

    Parameters
    ----------
    asset : str
        One of the assets per series; its files are whole.
    scope : Scope
        The collection.
    store : SeriesStore
        Where its files are.
    uid : str
        SeriesInstanceUID.
    """
    folder, key = store.series(scope.collection.name, uid), scope.key(asset)
    if asset == "ct_nifti":
        yield from fit_results(read_ct_record(folder.ct_record, require_fit=False), key)
    elif asset == "organ_seg":
        yield organs_found_result(folder, scope)
    elif asset == "bpr_json":
        yield from score_results(read_body_part_record(folder.bpr_record), key)
    elif asset == "qc_report" and scope.collection.qc.series_checks:
        yield from rule_results(scope, store, uid)
    noted = noted_outcomes(folder) if asset in ONLY_IN_A_RUN else {}
    for name in ONLY_IN_A_RUN.get(asset, ()):
        if name in noted:
            yield _noted(name, key, noted[name])


def cohort_check_results(asset: str, scope: Scope, store: SeriesStore) -> Iterator[dg.AssetCheckResult]:
    """Return the outcomes of the checks of an asset of the whole collection.

    Parameters
    ----------
    asset : str
        cohort_table, sr_validation or cohort_report; its files are whole.
    scope : Scope
        The collection.
    store : SeriesStore
        Where its files are.
    """
    if asset == "cohort_report":
        yield from cohort_results(scope, store, rules_of(scope.collection))
        return
    for check in (cohort_table_checks if asset == "cohort_table" else sr_validation_checks)(scope):
        (key,) = check.check_keys
        result = check(series_store=store)
        assert isinstance(result, dg.AssetCheckResult)
        yield result._replace(asset_key=key.asset_key, check_name=key.name)


def noted_outcomes(folder: SeriesFolder) -> dict[str, str]:
    """Return how the checks of a series came out, by name, where annotate noted it of the files as they are now.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    """
    try:
        completion = Completion.read(folder.completion, "annotate")
    except (FileNotFoundError, RecordError):
        return {}
    return completion.checks if completion.files == files_made(folder) else {}


def _noted(name: str, key: dg.AssetKey, outcome: str) -> dg.AssetCheckResult:
    blocks = outcome == "fail"
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=outcome == "pass",
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        metadata={"outcome": outcome, "known from": "complete.json"},
    )
