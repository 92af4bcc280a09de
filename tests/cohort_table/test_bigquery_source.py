"""A BigQuery collection from end to end over loopback, against the same images as a header index of a folder."""

import hashlib
import re
import uuid
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ct_assets.cohort_table.manifest import manifest, series_of_manifest
from ct_assets.cohort_table.selection import characteristics, cohort, selection_flow
from ct_assets.cohort_table.source.bigquery import DICOM_ALL, series_of_bigquery
from ct_assets.cohort_table.source.clinical import ClinicalTableError
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.cohort_table.source.judged import Judged, NoCtError
from ct_assets.cohort_table.write import write_cohort
from ct_assets.collection import Collection
from ct_assets.store.paths import CohortFolder
from ct_assets.store.tables import COHORT, REMOTE_SERIES
from resources.warehouse import Warehouse
from tests.cohort_table.cohorts import collection_of
from tests.cohort_table.random_headers import random_headers
from tests.cohort_table.stacks import stack, table
from tests.resources.bigquery_server import BigQueryServer, bigquery_server

__all__ = ["bigquery_server"]

DATASET = "bigquery-public-data.idc_v25"
CLINICAL_TABLE = f"{DATASET}_clinical.nlst_prsn"
EXPERT = {"structures": {"heart": "Heart"}}
BUCKETS = ["idc-open-data", "idc-open-data-two", "idc-open-data-cr"]
IN_GOOGLE = dict(zip(BUCKETS, ["idc-open-data", "idc-open-idc1", "idc-open-cr"], strict=True))
SELECTIONS = {
    "strict": {"minimum_slices": 4},
    "one per study": {"minimum_slices": 4, "one_series_per_study": True, "slice_thickness_mm": [1, 3]},
    "published": {"profile": "published", "minimum_slices": 4, "one_series_per_study": True, "near_axial": True},
}
SEG_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _headers() -> list[dict[str, Any]]:
    """Images as a header index has them; IDC knows the size of each."""
    return [{**row, "instance_size": 1000 + number} for number, row in enumerate(random_headers(21, 28))]


def _in_idc(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same images as IDC has them."""
    arrays = [name for name, kind in DICOM_ALL.items() if kind.startswith("array")]
    return [
        {
            "collection_id": "nlst",
            "instance_hash": hashlib.md5(row["file"].encode()).hexdigest(),
            "aws_bucket": BUCKETS[zlib.crc32((row["SeriesInstanceUID"] or "").encode()) % 3],
            "crdc_series_uuid": _uuid(row["SeriesInstanceUID"] or ""),
            "crdc_instance_uuid": _uuid(row["file"]),
            **row,
            **{name: row.get(name) or [] for name in arrays},
        }
        for row in rows
    ]


def _seg(uid: str, study: str, description: str = "Segmentation", **values: Any) -> dict[str, Any]:
    return {
        "Modality": "SEG",
        "SOPClassUID": SEG_STORAGE,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": uid,
        "SeriesDescription": description,
        "SOPInstanceUID": f"{uid}.1",
        "instance_size": 77,
        "file": f"{uid}.dcm",
        **values,
    }


def _collection(bucket: str = "aws", expert: Any = None, **selection: Any) -> Collection:
    source = {"kind": "bigquery", "collection_id": "nlst", "mirror": "/unused", "bucket": bucket}
    return collection_of({**source, "table": f"{DATASET}.dicom_all"}, expert, **selection)


@pytest.fixture
def server(bigquery_server: BigQueryServer) -> BigQueryServer:
    bigquery_server.rows_of_a_page = 100
    _fill(bigquery_server, [])
    return bigquery_server


def _fill(server: BigQueryServer, rows: list[dict[str, Any]]) -> None:
    strangers = [
        {**row, **other} for row in rows[:1] for other in ({"collection_id": "x"}, {"analysis_result_id": "y"})
    ]
    server.tables[f"{DATASET}.dicom_all"] = (DICOM_ALL, strangers + rows)
    versions = [{"idc_version": version} for version in (24, 25, 23)]
    server.tables[f"{DATASET}.version_metadata"] = ({"idc_version": "int64"}, versions)


def _judged(server: BigQueryServer, collection: Collection) -> Judged:
    warehouse = Warehouse(credentials=server.credentials())
    return series_of_bigquery(collection, warehouse)


def _results(judged: Judged, collection: Collection) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cohort, flow and characteristics, without what files tell: whether they are complete, and which ones differ."""
    found = cohort(judged.series, judged.criteria, collection.selection, collection="mine", experts=judged.experts)
    found["reason"] = found["reason"].map(lambda reason: reason and re.sub(r"differs: [^)]*", "differs", reason))
    flow = selection_flow(judged.series, judged.criteria)
    flow = flow[flow["criterion"] != "complete_files"].drop(columns="step").reset_index(drop=True)
    return found, flow, characteristics(found)


def _assert_same(server: BigQueryServer, selection: dict[str, Any], clinical_file: Path | None = None) -> pd.DataFrame:
    headers = _headers()
    _fill(server, _in_idc(headers))
    collection = _collection(**selection)
    found = _results(_judged(server, collection), collection)
    if clinical_file:
        selection = {**selection, "clinical": {**selection["clinical"], "table": str(clinical_file)}}
    folder = collection_of(None, None, **selection)
    expected = _results(judge_instances(folder, table(headers)), folder)
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9)
    return found[0]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_cohort_is_that_of_the_same_images_in_a_folder(server, selection):
    found = _assert_same(server, SELECTIONS[selection])
    assert set(found["selected"]) == {True, False}
    assert found["reason"].nunique() > 8


@pytest.mark.parametrize("kind", ["int64", "string"])
def test_a_clinical_table_in_bigquery_chooses_the_patients_of_one_in_a_file(server, tmp_path, kind):
    people = {str(100_000 + number): number % 3 for number in range(5)}
    convert = int if kind == "int64" else str
    rows = [{"pid": convert(pid), "can_scr": convert(value)} for pid, value in people.items()]
    server.tables[CLINICAL_TABLE] = ({"pid": kind, "can_scr": kind}, rows)
    path = tmp_path / "nlst_prsn.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    clinical = {"table": f"bigquery://{CLINICAL_TABLE}", "patient_id": "pid", "column": "can_scr", "values": [1]}
    found = _assert_same(server, {"minimum_slices": 4, "clinical": clinical}, path)
    chosen = {pid for pid, value in people.items() if value == 1}
    assert set(found[found["selected"]]["PatientID"]) <= chosen
    left_out = found[found["failed_criteria"].map(lambda names: names == ["clinical"])]
    assert set(left_out["PatientID"]) <= set(people) - chosen
    assert len(left_out) > 0
    unknown = found[found["not_evaluated"].map(lambda names: "clinical" in names)]
    assert not set(unknown["PatientID"]) & set(people)
    assert len(unknown) > 0


def test_a_clinical_table_in_a_file_is_refused_with_the_remedy(server):
    clinical = {"table": "/data/nlst_prsn.csv", "patient_id": "pid", "column": "can_scr", "values": [1]}
    with pytest.raises(ClinicalTableError) as refused:
        _judged(server, _collection(clinical=clinical))
    assert "/data/nlst_prsn.csv is a file, which BigQuery cannot read" in str(refused.value)
    assert "bigquery://project.dataset.table" in str(refused.value)
    assert server.queries == []


@pytest.mark.parametrize("rows", [[], [_seg("9.1", "1.2")]], ids=["nothing", "only a SEG"])
def test_a_collection_without_ct_says_what_to_change(server, rows):
    _fill(server, _in_idc(rows))
    with pytest.raises(NoCtError, match=r"no CT of collection nlst in .*dicom_all; change source.collection_id"):
        _judged(server, _collection())


@pytest.mark.parametrize("bucket", ["aws", "gcs"])
def test_the_manifest_names_every_object_of_the_selected_series_and_where_it_is(server, tmp_path, bucket):
    headers = _headers()
    in_idc = _in_idc(headers)
    _fill(server, in_idc)
    collection = _collection(bucket, minimum_slices=4)
    judged = _judged(server, collection)
    folder = CohortFolder(tmp_path)
    found = write_cohort(judged, collection, folder, tmp_path)
    selected = set(found[found["selected"]]["SeriesInstanceUID"])
    expected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in in_idc:
        if row["SeriesInstanceUID"] in selected and row["Modality"] == "CT":
            expected[row["SeriesInstanceUID"]].append(row)

    content = manifest(found, judged, collection)
    assert content["source"] == {
        "kind": "bigquery",
        "table": f"{DATASET}.dicom_all",
        "collection_id": "nlst",
        "idc_version": 25,
        "bucket": bucket,
    }
    assert [entry["SeriesInstanceUID"] for entry in content["series"]] == sorted(selected)
    scheme, names = ("s3", dict(zip(BUCKETS, BUCKETS, strict=True))) if bucket == "aws" else ("gs", IN_GOOGLE)
    for entry in content["series"]:
        rows = expected[entry["SeriesInstanceUID"]]
        files = [
            {"file": f"{row['crdc_instance_uuid']}.dcm", "bytes": row["instance_size"], "md5": row["instance_hash"]}
            for row in rows
        ]
        assert entry["files"] == sorted(files, key=lambda file: file["file"])
        assert entry["url"] == f"{scheme}://{names[rows[0]['aws_bucket']]}/{rows[0]['crdc_series_uuid']}/"
        assert (entry["objects"], entry["instances"]) == (len(rows), len(rows))
        assert entry["object_bytes"] == entry["bytes"] == sum(row["instance_size"] for row in rows)
    buckets = {entry["url"].split("/")[2] for entry in content["series"]}
    assert len(buckets) > 1
    assert buckets <= set(names.values())

    assert COHORT.read(folder.cohort)["SeriesInstanceUID"].tolist() == found["SeriesInstanceUID"].tolist()
    assert set(REMOTE_SERIES.read(folder.remote_series)["SeriesInstanceUID"]) == selected
    assert {series.series_instance_uid for series in series_of_manifest(folder.manifest)} == selected


def test_the_seg_of_an_expert_goes_with_every_selected_series_of_its_study(server):
    fit = [2.5 * number for number in range(20)]
    headers = [
        *stack(fit, uid="1.1", study="1"),
        *stack(fit, uid="1.2", study="1"),
        *stack(fit[:2], uid="1.3", study="1"),
        *stack(fit, uid="2.1", study="2"),
        *stack(fit[:2], uid="3.1", study="3"),
        _seg("1.8", "1"),
        _seg("1.9", "1"),
        _seg("1.9", "1", file="second.dcm"),
        _seg("1.7", "1", "Draft"),
        _seg("2.9", "2", analysis_result_id="BAMF"),
        _seg("3.9", "3"),
        _seg("4.9", "4"),
    ]
    _fill(server, _in_idc(headers))
    collection = _collection(expert=EXPERT)
    judged = _judged(server, collection)
    assert judged.experts == {"1.1": ["1.8", "1.9"], "1.2": ["1.8", "1.9"]}
    remote = judged.remote.set_index("SeriesInstanceUID")
    assert remote["Modality"].to_dict() == {"1.1": "CT", "1.2": "CT", "2.1": "CT", "1.8": "SEG", "1.9": "SEG"}
    assert remote.loc["1.9", ["instances", "series_size"]].tolist() == [2, 154]
    found, _, _ = _results(judged, collection)
    content = manifest(found, judged, collection)
    experts = {entry["SeriesInstanceUID"]: entry["experts"] for entry in content["series"]}
    assert [expert["SeriesInstanceUID"] for expert in experts["1.1"]] == ["1.8", "1.9"]
    assert experts["2.1"] == []
    assert all(file["file"].endswith(".dcm") for entry in content["series"] for file in entry["files"])
    assert [len(entry["files"]) for entry in content["series"]] == [20, 20, 20]


def test_the_experts_rtstructs_are_fetched_whatever_they_are_called(server):
    fit = [2.5 * number for number in range(20)]
    drawn = _seg("1.6", "1", "Contours", Modality="RTSTRUCT", SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3")
    _fill(server, _in_idc([*stack(fit, uid="1.1", study="1"), _seg("1.8", "1"), drawn]))
    expert = {"modality": "RTSTRUCT", "structures": {"heart": "Heart"}}
    judged = _judged(server, _collection(expert=expert))
    assert judged.experts == {"1.1": ["1.6"]}
    assert judged.remote.set_index("SeriesInstanceUID")["Modality"].to_dict() == {"1.1": "CT", "1.6": "RTSTRUCT"}
    assert _judged(server, _collection(expert={**expert, "series_description": "Draft"})).experts == {}


def test_nothing_selected_is_a_cohort_too(server):
    _fill(server, _in_idc(stack([0, 2.5])))
    collection = _collection(expert=EXPERT)
    judged = _judged(server, collection)
    found, flow, _ = _results(judged, collection)
    assert found["selected"].tolist() == [False]
    assert flow["series_left"].iloc[-1] == 0
    assert manifest(found, judged, collection)["series"] == []
    assert judged.remote.empty
