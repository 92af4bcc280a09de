"""The selection means the same in DuckDB and in BigQuery: the SQL for the one is run by Google's own evaluator.

A REPEATED column of BigQuery has no nulls: an absent ImageType is an empty array there, and null in a header index.
"""

import math
import re
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from ct_assets.cohort_table.criteria.judge import JUDGED, judge
from ct_assets.cohort_table.criteria.measures import header_measures
from ct_assets.cohort_table.source.bigquery import (
    DICOM_ALL,
    WITHOUT,
    experts_sql,
    files_sql,
    series_sql,
    version_sql,
)
from ct_assets.cohort_table.source.clinical import patients
from ct_assets.cohort_table.source.engine import duckdb_engine, opened
from ct_assets.collection import Collection
from ct_assets.source_settings import BigQuerySource
from ct_assets.store.tables import INSTANCES
from tests.cohort_table.cohorts import collection_of
from tests.cohort_table.googlesql import run
from tests.cohort_table.random_headers import random_headers

TABLE = "bigquery-public-data.idc_v25.dicom_all"
CLINICAL_TABLE = "my-project.clinical.nlst_prsn"
CLINICAL = {"table": f"bigquery://{CLINICAL_TABLE}", "patient_id": "pid", "column": "can_scr", "values": [1]}
SOURCE = {"kind": "bigquery", "collection_id": "nlst", "mirror": "/unused", "table": TABLE}
PROFILES = {
    "strict": {"minimum_slices": 4, "slice_thickness_mm": [1, 3]},
    "published": {"profile": "published", "minimum_slices": 4, "slice_thickness_mm": [1, 3], "near_axial": True},
}
ALL = {"one_series_per_study": True, "clinical": CLINICAL}
VARIANTS = {
    "plain": (1, {}, "int64"),
    "one per study": (2, {"one_series_per_study": True}, "int64"),
    "clinical": (3, {"clinical": CLINICAL}, "int64"),
    "both": (4, ALL, "string"),
}
"""Seed, selection, and how the clinical table has its numbers."""
CLINICAL_ROWS = [
    {"pid": 100_000, "can_scr": 1},
    {"pid": 100_001, "can_scr": 0},
    {"pid": 100_002, "can_scr": 2},
    {"pid": 100_002, "can_scr": 1},
    {"pid": 100_003, "can_scr": None},
    {"pid": 100_004, "can_scr": None},
    {"pid": 100_004, "can_scr": 1},
    {"pid": None, "can_scr": 1},
]
"""Patient 100005 is unknown."""


def _collection(profile: str, **more: Any) -> Collection:
    return collection_of(SOURCE, {"structures": {"heart": "Heart"}}, **PROFILES[profile], **more)


def _as_in_bigquery(rows: list[dict[str, Any]], *, alone: bool = False) -> list[dict[str, Any]]:
    """The rows as IDC has them, if not alone beside those of another collection and of somebody's analysis."""
    arrays = [name for name, kind in DICOM_ALL.items() if kind.startswith("array")]
    ours = [{**row, **{name: row[name] or [] for name in arrays}, "collection_id": "nlst"} for row in rows]
    foreign = [{**ours[0], "collection_id": "nlst_2"}, {**ours[0], "analysis_result_id": "BAMF"}]
    return ours if alone else foreign + ours


def _by_bigquery(collection: Collection, rows: list[dict[str, Any]], clinical_kind: str) -> pd.DataFrame:
    texts = clinical_kind == "string"
    people = [
        {key: str(value) if texts and value is not None else value for key, value in row.items()}
        for row in CLINICAL_ROWS
    ]
    tables = {
        TABLE: (DICOM_ALL, _as_in_bigquery(rows)),
        CLINICAL_TABLE: ({"pid": clinical_kind, "can_scr": clinical_kind}, people),
    }
    return run(series_sql(collection), tables)


def _by_duckdb(collection: Collection, rows: list[dict[str, Any]]) -> pd.DataFrame:
    schema = pa.schema([INSTANCES.schema.field(name) for name in INSTANCES.columns if name in DICOM_ALL])
    settings = collection.selection
    people = pa.Table.from_pylist(CLINICAL_ROWS, schema=pa.schema({"pid": pa.int64(), "can_scr": pa.float64()}))
    headers = pa.Table.from_pylist(rows, schema=schema)
    with duckdb_engine() as backend:
        clinical = patients(opened(backend, "people", people), settings.clinical) if settings.clinical else None
        measures = header_measures(opened(backend, "headers", headers), settings)
        return _plain(judge(measures, settings, clinical=clinical, without=WITHOUT).to_pyarrow())


def _plain(table: pa.Table) -> pd.DataFrame:
    """Python values, null as None."""
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return pd.DataFrame({name: pd.Series(map(_whole, values), dtype=object) for name, values in columns.items()})


def _whole(value: Any) -> Any:
    """DuckDB adds integers to ones of 128 bits, which Arrow has as decimals."""
    return int(value) if isinstance(value, Decimal) else value


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return type(one) is type(other) and one == other


def _assert_equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    assert sorted(found["SeriesInstanceUID"]) == sorted(expected["SeriesInstanceUID"])
    found, expected = (frame.set_index("SeriesInstanceUID", drop=False) for frame in (found, expected))
    different = [
        f"{uid!r} {name}: {found.loc[uid, name]!r}, expected {expected.loc[uid, name]!r}"
        for name in expected.columns
        for uid in expected.index
        if not _alike(found.loc[uid, name], expected.loc[uid, name])
    ]
    assert not different, "\n".join(different[:20])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("profile", PROFILES)
def test_both_engines_judge_alike(profile, variant):
    seed, selection, clinical_kind = VARIANTS[variant]
    collection, rows = _collection(profile, **selection), random_headers(seed)
    _assert_equal(_by_bigquery(collection, rows, clinical_kind), _by_duckdb(collection, rows))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_random_series_meet_and_fail_every_criterion(profile):
    outcomes, selected = defaultdict(set), set()
    for seed, *_ in VARIANTS.values():
        judged = _by_duckdb(_collection(profile, **ALL), random_headers(seed))
        selected |= set(judged["selected"])
        for name in judged.columns:
            if name.startswith(JUDGED):
                outcomes[name.removeprefix(JUDGED)] |= set(judged[name])
    assert selected == {True, False}
    assert {name: found for name, found in outcomes.items() if not found >= {True, False}} == {}
    measured = {"clinical", "slice_thickness", "near_axial", "regular_spacing"}
    assert {name for name in measured if None not in outcomes[name]} == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_sql_can_be_read_by_another_engine_too(profile):
    collection, rows = _collection(profile, **ALL), random_headers(5)
    translated = sqlglot.transpile(series_sql(collection), read="bigquery", write="duckdb")[0]
    connection = duckdb.connect()
    connection.sql("CREATE MACRO ieee_divide(a, b) AS a / b")
    for name, kinds, content in (
        (TABLE, DICOM_ALL, _as_in_bigquery(rows)),
        (CLINICAL_TABLE, {"pid": "int64", "can_scr": "int64"}, CLINICAL_ROWS),
    ):
        project, dataset, table = name.split(".")
        arrow = pa.Table.from_pylist(content, schema=ibis.schema(kinds).to_pyarrow())
        connection.sql(f'ATTACH \':memory:\' AS "{project}"; CREATE SCHEMA "{project}".{dataset}')
        connection.register("content", arrow)
        connection.sql(f'CREATE TABLE "{project}".{dataset}.{table} AS FROM content')
    _assert_equal(_plain(connection.sql(translated).to_arrow_table()), _by_duckdb(collection, rows))


@cache
def _statements(profile: str) -> dict[str, str]:
    collection = _collection(profile, **ALL)
    assert isinstance(collection.source, BigQuerySource)
    return {
        "series": series_sql(collection),
        "files": files_sql(collection),
        "experts": experts_sql(collection),
        "version": version_sql(collection.source),
    }


def test_the_sql_is_the_same_in_every_process():
    code = (
        "from tests.cohort_table.test_two_engines import ALL, _collection, series_sql; "
        "print(series_sql(_collection('strict', **ALL)))"
    )
    repository = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert told.stdout == _statements("strict")["series"] + "\n"
    # Where Ibis drops several columns at once, their order is that of a set: another in about every second process.
    several = re.compile(r"EXCEPT \([^)]*,")
    assert not [name for profile in PROFILES for name, sql in _statements(profile).items() if several.search(sql)]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_sql_reads_the_columns_that_are_declared_and_no_others(profile):
    used: dict[str, set[str]] = defaultdict(set)
    for sql in _statements(profile).values():
        for scope in traverse_scope(sqlglot.parse_one(sql, read="bigquery")):
            for column in scope.columns:
                source = scope.sources.get(column.table)
                if isinstance(source, exp.Table):
                    used[".".join(part.name for part in source.parts)].add(column.name)
    assert used == {
        TABLE: set(DICOM_ALL),
        TABLE.replace("dicom_all", "version_metadata"): {"idc_version"},
        CLINICAL_TABLE: {"pid", "can_scr"},
    }


@cache
def _idc_query() -> str:
    """IDC's own query for its volume geometry index, as its package brings it, with its parameters put in."""
    sql = (files("idc_index_data") / "volume_geometry_index.sql").read_text()
    for name, value in re.findall(r"DECLARE (\w+) FLOAT64 DEFAULT ([\d.]+);", sql):
        sql = re.sub(rf"DECLARE {name} [^;]*;|\b{name}\b(?! FLOAT64)", lambda m, v=value: "" if ";" in m[0] else v, sql)
    return sql


def test_the_geometry_is_judged_as_by_the_query_of_the_imaging_data_commons():
    rows = [
        row
        for row in random_headers(2, 36, most_slices=8, garbage=False)
        if row["Modality"] == "CT"  # it takes any
        and row["ImageOrientationPatient"] != ["0"] * 6  # it divides by zero
    ]
    tables = {TABLE: (DICOM_ALL, _as_in_bigquery(rows, alone=True))}
    both = run(series_sql(_collection("strict")), tables).merge(run(_idc_query(), tables), on="SeriesInstanceUID")
    # Where it has nothing to compare, or compares texts, the two differ on purpose.
    needed = (
        *(JUDGED + name for name in ("series_uid", "identified", "supported_class", "placed")),
        "single_orientation",
    )
    both = both[both[list(needed)].eq(other=True).all(axis=1)]
    both = both.astype({name: bool for name in both.columns if both[name].isin([True, False, None]).all()})
    unique = both["passes_unique_positions"]  # it counts a gap of length zero among those that it takes the mean of
    pairs = {
        "orthogonal": (both["passes_orthogonal_orientation"], both["orthogonal_orientation"]),
        "unique": (unique, both["unique_slice_positions"]),
        "regular": (unique & both["passes_regular_spacing"], unique & both["uniform_slice_spacing"]),
        "straight": (
            both["passes_no_lateral_shift"],
            both["consistent_in_plane_row"] & both["consistent_in_plane_col"],
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours.tolist() == theirs.tolist(), name
        assert set(ours) == {True, False}, name
