"""Checks of every series up to a size, and which rules a collection has."""

from pathlib import Path

import pandas as pd
import pytest

from ct_assets.cohort_report.checks import cohort_report_checks
from ct_assets.collection import Collection
from ct_assets.partitions import scopes, shard_of
from ct_assets.qc_report.checks import qc_report_checks
from ct_assets.qc_report.finding import Rule
from ct_assets.qc_report.scale import has_series_checks, rules_of
from ct_assets.settings import settings
from ct_assets.store.tables import COHORT
from tests.qc_report.conftest import demo_collection


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


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


@pytest.mark.parametrize(("selected", "per_series"), [(0, True), (2000, True), (2001, False)])
def test_above_a_size_only_the_cohort_has_checks(home: Path, selected: int, per_series: bool) -> None:
    collection = demo_collection()
    with_series(home, collection, selected)
    assert has_series_checks(collection) is per_series
    rules = {str(rule) for rule in Rule}
    assert names(collection) == (rules if per_series else set(), rules)


def test_before_there_is_a_cohort_or_where_it_is_damaged_series_have_checks(home: Path) -> None:
    collection = demo_collection()
    assert has_series_checks(collection)
    with_series(home, collection, 3000)
    (home / "demo/cohort/cohort.parquet").write_bytes(b"damaged")
    assert has_series_checks(collection)


def test_the_size_is_that_of_a_shard_and_can_be_set(home: Path) -> None:
    collection = demo_collection(shards=4, qc={"series_checks_up_to": 10})
    uids = with_series(home, collection, 40)
    sizes = [sum(shard_of(collection, uid) == shard for uid in uids) for shard in range(4)]
    assert [has_series_checks(collection, shard) for shard in range(4)] == [size <= 10 for size in sizes]
    assert len({size <= 10 for size in sizes}) == 2


def test_without_experts_no_rule_compares_with_them() -> None:
    rules = set(rules_of(demo_collection(expert=None)))
    assert set(Rule) - rules == {Rule.DICE, Rule.HAUSDORFF, Rule.LUNG_ENDS}
