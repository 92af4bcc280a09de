"""The tables of measurements: what the SRs say, in a form that BigQuery loads, in the published columns."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ct_assets.collection_database import open_database
from ct_assets.dicom.codes import organ_codes
from ct_assets.dicom_sr.read import UnusableReportError
from ct_assets.dicom_sr.tables import MEASUREMENT_TABLES, write_measurement_tables
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import (
    MEASUREMENT_GROUPS,
    QUALITATIVE_MEASUREMENTS,
    QUANTITATIVE_MEASUREMENTS,
    SHAPE_FEATURES,
)
from tests.cohort_table.googlesql import run
from tests.dicom_sr.conftest import Annotated
from tests.dicom_sr.stored import store

CODE = "struct<CodeValue: string, CodingSchemeDesignator: string, CodeMeaning: string>"
CODE_FIELDS = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
PARQUET_TO_BIGQUERY = {("BYTE_ARRAY", "STRING"): "string", ("INT64", "NONE"): "int64", ("DOUBLE", "NONE"): "float64"}
"""The part of BigQuery's conversion table for Parquet that these files need."""

PUBLISHED_VIEWS = {
    "measurement_groups_features": "SOPInstanceUID measurementGroup_number trackingUniqueIdentifier trackingIdentifier "
    "PatientID SeriesDescription finding sourceSegmentedSeriesUID segmentationInstanceUID segmentationSegmentNumber "
    "contentSequence",
    "measurement_groups_landmarks": "SOPInstanceUID SeriesInstanceUID measurementGroup_number trackingUniqueIdentifier "
    "trackingIdentifier PatientID SeriesDescription contentSequence",
    "measurement_groups_regions": "SOPInstanceUID SeriesInstanceUID measurementGroup_number trackingUniqueIdentifier "
    "trackingIdentifier PatientID SeriesDescription contentSequence",
    "quantitative_measurements_features": "PatientID SOPInstanceUID SeriesDescription measurementGroup_number "
    "segmentationInstanceUID segmentationSegmentNumber sourceSegmentedSeriesUID trackingIdentifier Quantity Value "
    "Units finding findingSite",
    "qualitative_measurements_landmarks": "PatientID SeriesInstanceUID SOPInstanceUID measurementGroup_number "
    "trackingIdentifier trackingUniqueIdentifier ConceptNameCodeSequence ConceptCodeSequence topographical_modifier "
    "ReferencedSOPInstanceUID ReferencedSeriesInstanceUID ReferencedStudyInstanceUID",
    "qualitative_measurements_regions": "PatientID SeriesInstanceUID SOPInstanceUID measurementGroup_number "
    "trackingIdentifier trackingUniqueIdentifier ConceptNameCodeSequence ConceptCodeSequence "
    "ReferencedSOPInstanceUID ReferencedSeriesInstanceUID ReferencedStudyInstanceUID",
}
QUERIES = {
    "features": """
        SELECT PatientID, findingSite.CodeMeaning AS organ, Quantity.CodeMeaning AS feature, Value,
          Units.CodeValue AS unit, segmentationSegmentNumber
        FROM `my-project.annotations.quantitative_measurements`
        WHERE SeriesDescription LIKE '%Measurements%' AND finding.CodeMeaning = 'Organ' AND Value > 0.5
        ORDER BY organ, feature""",
    "landmarks": """
        SELECT ReferencedSOPInstanceUID, ReferencedSeriesInstanceUID, ConceptCodeSequence.CodeMeaning AS landmark,
          topographical_modifier.CodeMeaning AS modifier
        FROM `my-project.annotations.qualitative_measurements`
        WHERE SeriesDescription LIKE 'BPR landmark annotations%' AND ConceptNameCodeSequence.CodeValue = '363698007'
          AND (topographical_modifier.CodeMeaning = 'Center' OR topographical_modifier IS NULL)
        ORDER BY landmark, modifier, ReferencedSOPInstanceUID""",
    "regions": """
        SELECT ConceptCodeSequence.CodeMeaning AS region, COUNT(DISTINCT ReferencedSOPInstanceUID) AS slices,
          MIN(ConceptCodeSequence.CodingSchemeDesignator) AS scheme
        FROM `my-project.annotations.qualitative_measurements`
        WHERE SeriesDescription LIKE 'BPR region annotations%'
        GROUP BY region ORDER BY region""",
    "group with its statements": """
        SELECT g.measurementGroup_number, g.trackingIdentifier, COUNT(*) AS statements,
          MIN(LENGTH(g.contentSequence)) AS characters
        FROM `my-project.annotations.measurement_groups` AS g
        JOIN `my-project.annotations.qualitative_measurements` AS q
          ON g.SOPInstanceUID = q.SOPInstanceUID AND g.measurementGroup_number = q.measurementGroup_number
        GROUP BY g.SOPInstanceUID, g.measurementGroup_number, g.trackingIdentifier
        ORDER BY g.trackingIdentifier""",
}


@pytest.fixture(scope="module")
def root(annotated: Annotated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("collection")
    store(annotated, root)
    return root


@pytest.fixture(scope="module")
def folder(root: Path, annotated: Annotated) -> SeriesFolder:
    return CollectionFolder(root).series(annotated.example.record.series_instance_uid)


def test_every_measured_value_is_a_row_and_no_organ_that_is_missing(annotated, folder):
    rows = QUANTITATIVE_MEASUREMENTS.read(folder.quantitative_measurements)
    features = SHAPE_FEATURES.read(folder.shape_features)
    measured = features.dropna(subset="value")
    assert len(rows) == len(measured) < len(features)
    assert rows["Value"].tolist() == measured["value"].tolist()
    assert [row["CodeValue"] for row in rows["Quantity"]] == measured["code"].tolist()
    assert [row["CodeValue"] for row in rows["Units"]] == measured["unit"].tolist()
    assert rows["segmentationSegmentNumber"].tolist() == measured["label"].tolist()
    sites = [organ_codes()[label].site for label in measured["label"]]
    assert [row["CodeMeaning"] for row in rows["findingSite"]] == [site.meaning for site in sites]
    assert "Trachea" not in {row["CodeMeaning"] for row in rows["findingSite"]}
    assert {row["CodeValue"] for row in rows["finding"]} == {"113343008"}


def test_every_landmark_and_region_is_a_row_of_its_slice(annotated, folder):
    rows = QUALITATIVE_MEASUREMENTS.read(folder.qualitative_measurements)
    record = annotated.example.record
    landmarks = rows[rows["SeriesDescription"].str.startswith("BPR landmark annotations")]
    located = annotated.landmarks[annotated.landmarks["located"]]
    assert sorted(landmarks["ReferencedSOPInstanceUID"]) == sorted(located["SOPInstanceUID"])
    regions = rows[rows["SeriesDescription"].str.startswith("BPR region annotations")]
    assert len(regions) == sum(map(len, annotated.slice_regions))
    assert len(rows) == len(landmarks) + len(regions)
    assert set(rows["ReferencedSeriesInstanceUID"]) == {record.series_instance_uid}
    assert set(rows["ReferencedStudyInstanceUID"]) == {record.study_instance_uid}
    assert {row["CodeValue"] for row in rows["ConceptNameCodeSequence"]} == {"363698007"}
    assert regions["topographical_modifier"].isna().all()


def test_groups_are_numbered_from_zero_and_hold_their_items(folder):
    rows = MEASUREMENT_GROUPS.read(folder.measurement_groups)
    for _, groups in rows.groupby("SOPInstanceUID"):
        assert groups["measurementGroup_number"].tolist() == list(range(len(groups)))
    first = json.loads(rows["contentSequence"][0])
    assert first[0]["0040A160"]["Value"] == [rows["trackingIdentifier"][0]]
    assert sum(item["0040A040"]["Value"] == ["NUM"] for item in first) == 14


def test_without_any_report_the_tables_are_empty(tmp_path):
    folder = SeriesFolder(tmp_path / "1.2.3")
    assert set(write_measurement_tables(folder).values()) == {0}
    for table, _, path in MEASUREMENT_TABLES:
        assert len(table.read(path(folder))) == 0


def test_an_unusable_report_is_named_and_the_tables_stay(annotated, small, tmp_path):
    folder = store(small, tmp_path)
    before = folder.quantitative_measurements.read_bytes()
    folder.landmarks_sr.write_bytes(folder.landmarks_sr.read_bytes()[:-1])
    with pytest.raises(UnusableReportError, match=r"landmarks\.dcm"):
        write_measurement_tables(folder)
    assert folder.quantitative_measurements.read_bytes() == before


def test_what_a_killed_run_left_is_no_report(small, tmp_path):
    folder = store(small, tmp_path)
    before = write_measurement_tables(folder)
    (folder.landmarks_sr.parent / ".0a.partial.landmarks.dcm").write_bytes(b"half")
    assert write_measurement_tables(folder) == before


def test_equal_reports_give_equal_bytes(small, tmp_path):
    folder = store(small, tmp_path)
    before = [path(folder).read_bytes() for _, _, path in MEASUREMENT_TABLES]
    write_measurement_tables(folder)
    assert [path(folder).read_bytes() for _, _, path in MEASUREMENT_TABLES] == before


@pytest.mark.parametrize("view", PUBLISHED_VIEWS)
def test_the_views_have_the_published_columns(root, view):
    relation = open_database(CollectionFolder(root)).connection.sql(f"FROM {view}")
    assert relation.columns == PUBLISHED_VIEWS[view].split()
    assert len(relation.fetchall()) > 0


def test_the_views_divide_the_tables_by_kind(root):
    connection = open_database(CollectionFolder(root)).connection
    count = {
        name: connection.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0]
        for name in [*PUBLISHED_VIEWS, *(table.name for table, _, _ in MEASUREMENT_TABLES)]
    }
    for table, _, _ in MEASUREMENT_TABLES:
        assert count[table.name] == sum(number for name, number in count.items() if name.startswith(f"{table.name}_"))


@pytest.mark.parametrize("table", [entry[0] for entry in MEASUREMENT_TABLES], ids=lambda table: table.name)
def test_every_column_of_the_files_has_a_type_in_bigquery(folder, table):
    path = next(path for other, _, path in MEASUREMENT_TABLES if other is table)
    file = pq.ParquetFile(path(folder))
    assert {file.metadata.row_group(0).column(k).compression for k in range(file.metadata.num_columns)} == {"ZSTD"}
    schema = file.schema
    leaves = [schema.column(index) for index in range(len(schema.names))]
    kinds = {}
    for leaf in leaves:
        assert leaf.max_repetition_level == 0, "nothing is repeated, which would need list inference"
        kinds[leaf.path] = PARQUET_TO_BIGQUERY[leaf.physical_type, leaf.logical_type.type]
    names = {name for path in kinds for name in path.split(".")}
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", name) for name in names)
    assert not any(re.match(r"(?i)_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER", n) for n in names)
    assert len({path.lower() for path in kinds}) == len(kinds), "BigQuery does not tell case apart"
    expected = {}
    for name, kind in bigquery_types(table.schema).items():
        expected.update({f"{name}.{field}": "string" for field in CODE_FIELDS} if kind == CODE else {name: kind})
    assert kinds == expected


def bigquery_types(schema: pa.Schema) -> dict[str, str]:
    """Types that BigQuery's load job gives, in the evaluator's spelling."""
    kinds = {pa.string(): "string", pa.int64(): "int64", pa.float64(): "float64"}
    return {
        field.name: CODE if pa.types.is_struct(field.type) else kinds[field.type]
        for field in schema
    }  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_queries_of_the_published_form_answer_in_bigquery_as_here(root, folder, name):
    tables = {
        f"my-project.annotations.{table.name}": (bigquery_types(table.schema), pq.read_table(path(folder)))
        for table, _, path in MEASUREMENT_TABLES
    }
    there = run(QUERIES[name].replace("my-project.annotations.", "my-project`.`annotations`.`"), tables)
    sql = QUERIES[name].replace("my-project.annotations.", "").replace("`", '"')
    here = pd.DataFrame(open_database(CollectionFolder(root)).connection.sql(sql).fetchall(), columns=there.columns)
    assert len(here) > 0
    assert there.to_numpy().tolist() == here.astype(object).where(here.notna(), None).to_numpy().tolist()


def test_the_kinds_are_told_apart_without_the_notice_of_a_demonstration_model(small, tmp_path):
    real = {"demonstration": False}
    example = replace(
        small.example,
        seg_record=small.example.seg_record.model_copy(
            update={"provenance": small.example.seg_record.provenance.model_copy(update=real)}
        ),
    )
    folder = store(replace(small, example=example, provenance=small.provenance.model_copy(update=real)), tmp_path)
    [*descriptions] = MEASUREMENT_GROUPS.read(folder.measurement_groups)["SeriesDescription"].unique()
    assert descriptions == ["3d_fullres-tta_nnU-Net_Measurements", "BPR landmark annotations", "BPR region annotations"]
    connection = open_database(CollectionFolder(tmp_path)).connection
    for view in PUBLISHED_VIEWS:
        assert len(connection.sql(f"FROM {view}").fetchall()) > 0
