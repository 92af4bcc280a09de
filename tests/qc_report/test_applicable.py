"""Checks of every series up to a size, and which rules a collection has."""

from pathlib import Path

import pandas as pd
import pytest

from ct_assets.cohort_report.checks import cohort_report_checks
from ct_assets.cohort_table.checks import cohort_table_checks
from ct_assets.collection import Collection
from ct_assets.partitions import scopes
from ct_assets.qc_report.applicable import few_series, rules_of
from ct_assets.qc_report.checks import qc_report_checks
from ct_assets.qc_report.rule import Rule
from ct_assets.store.tables import COHORT
from resources.series_store import SeriesStore
from tests.qc_report.conftest import demo_collection


def with_series(home: Path, collection: Collection, selected: int, excluded: int = 5) -> list[str]:
    uids = [f"1.2.{number}" for number in range(selected + excluded)]
    rows = COHORT.empty().reindex(range(len(uids)))
    rows = rows.assign(SeriesInstanceUID=uids, selected=[number < selected for number in range(len(uids))])
    rows["decided"] = True
    path = home / collection.name / "cohort/cohort.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    COHORT.write(pd.DataFrame(rows), path)
    return uids[:selected]


def names(collection: Collection) -> tuple[set[str], set[str]]:
    scope = scopes(collection)[0]
    return tuple(
        {spec.name for checks in factory(scope) for spec in checks.check_specs}
        for factory in (qc_report_checks, cohort_report_checks)
    )


def test_checks_of_every_series_can_be_switched_off_and_those_of_the_cohort_stay() -> None:
    rules = {str(rule) for rule in Rule}
    assert names(demo_collection()) == (rules, rules)
    assert names(demo_collection(qc={"series_checks": False})) == (set(), rules)


@pytest.mark.parametrize(
    ("selected", "changes", "usable"),
    [
        (2000, {}, True),
        (2001, {}, False),
        (2001, {"qc": {"series_checks": False}}, True),
        (4000, {"shards": 2}, True),
        (4001, {"shards": 2}, False),
    ],
)
def test_the_cohort_table_says_when_there_are_too_many_series(
    tmp_path: Path, selected: int, changes: dict[str, object], usable: bool
) -> None:
    collection = demo_collection(**changes)
    with_series(tmp_path, collection, selected)
    [check] = [
        one for one in cohort_table_checks(scopes(collection)[0])
        if [spec.name for spec in one.check_specs] == ["series_checks_usable"]
    ]  # fmt: skip
    result = check(series_store=SeriesStore(root=str(tmp_path)))
    assert result.passed is usable
    assert few_series(tmp_path / "demo/cohort/cohort.parquet", collection.shards) is (selected in (2000, 4000))
    assert "qc.series_checks: false" in result.metadata["remedy"].value


def test_without_experts_no_rule_compares_with_them() -> None:
    rules = set(rules_of(demo_collection(expert=None)))
    assert set(Rule) - rules == {Rule.DICE, Rule.HAUSDORFF, Rule.LUNG_ENDS}


def test_a_rule_that_is_switched_off_has_no_check() -> None:
    off = {"lung_extent_mm": None, "largest_region": None, "slope_ratio": None}
    assert set(Rule) - set(rules_of(demo_collection(qc=off))) == {Rule.LUNG_EXTENT, Rule.REGIONS, Rule.Z_SPACING}
    no_lungs = demo_collection(expert={"structures": {"heart": "Heart"}})
    assert set(Rule) - set(rules_of(no_lungs)) == {Rule.LUNG_ENDS}
