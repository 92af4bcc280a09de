"""The Imaging Data Commons without an account: what its metadata say of the published cohorts, and what they cannot."""

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ct_assets.cohort_table.manifest import manifest, s5cmd_manifest
from ct_assets.cohort_table.selection import characteristics, cohort, selection_flow
from ct_assets.cohort_table.source.engine import duckdb_engine
from ct_assets.cohort_table.source.geometry_index import index_address
from ct_assets.cohort_table.source.idc import series_of_idc
from ct_assets.cohort_table.source.idc_metadata import UnknownCollectionError, idc_series, remote_series
from ct_assets.collection import load_collection
from ct_assets.settings import PROJECT_ROOT
from tests.cohort_table.cohorts import collection_of

NOWHERE = Path("/nowhere")


def _idc(collection_id: str, **values: object):
    return collection_of({"kind": "idc", "collection_id": collection_id, "mirror": str(NOWHERE)}, **values)


def _before(collection_id: str) -> dict[str, int]:
    judged = series_of_idc(_idc(collection_id), NOWHERE)
    table = characteristics(cohort(judged.series, judged.criteria, _idc(collection_id).selection, collection="mine"))
    return table.set_index("characteristic")["before"].to_dict()


def test_the_metadata_have_the_papers_entire_cohorts():
    nlst = _before("nlst")
    assert (nlst["series"], nlst["studies"], nlst["patients"]) == (203_087, 73_113, 26_254)
    radiomics = _before("nsclc_radiomics")
    assert (radiomics["series"], radiomics["studies"], radiomics["patients"]) == (422, 422, 422)


@pytest.mark.parametrize(("collection_id", "count"), [("nsclc_radiomics", 414), ("nlst", 1039)])
@pytest.mark.parametrize(("bucket", "scheme"), [("aws", "s3"), ("gcs", "gs")])
def test_every_published_series_has_an_address_and_a_size(shared_data, collection_id, count, bucket, scheme):
    published = pd.read_csv(shared_data / f"published/{collection_id}_series_analyzed.csv")["SeriesInstanceUID"]
    with duckdb_engine() as backend:
        places = remote_series(idc_series(backend, collection_id), bucket).to_pandas().set_index("SeriesInstanceUID")
    found = places.loc[published]
    assert len(found) == len(published) == count
    assert found["url"].str.fullmatch(rf"{scheme}://idc-open-(data|data-two|idc1|data-cr|cr)/[0-9a-f-]{{36}}/").all()
    assert (found["series_size"] > 10_000_000).all()
    assert (found["instances"] > 50).all()
    assert (found["Modality"] == "CT").all()


def test_what_the_metadata_lack_is_not_evaluated_and_never_passed():
    collection = _idc("nsclc_radiomics", minimum_slices=100)
    judged = series_of_idc(collection, NOWHERE)
    table = cohort(judged.series, judged.criteria, collection.selection, collection="mine")
    assert not table["decided"].any()
    flow = selection_flow(judged.series, judged.criteria).set_index("criterion")
    known = {"ct", "series_uid", "supported_class", "minimum_slices"}
    for name, row in flow.iterrows():
        assert row["not_evaluated"] == (0 if name in known else 422), name
    selected = table[table["selected"]]
    assert set(selected["not_evaluated"].map(tuple)) == {tuple(name for name in flow.index if name not in known)}
    assert selected["reason"].isna().all()
    assert set(table.loc[~table["selected"], "failed_criteria"].map(tuple)) == {("minimum_slices",)}


def test_the_experts_segmentations_are_found_by_study():
    collection = load_collection(PROJECT_ROOT / "collections/nsclc_radiomics.yaml")
    judged = series_of_idc(collection, NOWHERE)
    assert judged.remote is not None
    assert len(judged.experts) == 421
    segs = judged.remote[judged.remote["Modality"] == "SEG"]
    uids = {uid for uids in judged.experts.values() for uid in uids}
    assert set(segs["SeriesInstanceUID"]) <= uids
    assert (segs["instances"] == 1).all()


def test_the_experts_rtstructs_are_found_by_study_too():
    expert = {"modality": "RTSTRUCT", "structures": {"heart": "Heart"}}
    judged = series_of_idc(_idc("nsclc_radiomics", expert=expert), NOWHERE)
    assert judged.remote is not None
    drawn = judged.remote[judged.remote["Modality"] != "CT"]
    assert set(drawn["Modality"]) == {"RTSTRUCT"}
    assert len(judged.experts) == 422
    assert set(drawn["SeriesInstanceUID"]) <= {uid for uids in judged.experts.values() for uid in uids}


def test_the_manifest_names_release_place_and_size_and_repeats_byte_by_byte():
    collection = _idc("nsclc_radiomics")
    texts = []
    for _ in range(2):
        judged = series_of_idc(collection, NOWHERE)
        table = cohort(judged.series, judged.criteria, collection.selection, collection="mine")
        content = manifest(table, judged, collection)
        texts.append((str(content), s5cmd_manifest(content)))
    assert texts[0] == texts[1]
    assert content["source"]["idc_version"] >= 25
    assert content["selection"]["profile"] == "strict"
    first = content["series"][0]
    assert first["decided"] is False
    assert first["url"] == f"s3://idc-open-data-cr/{first['crdc_series_uuid']}/"
    assert first["object_bytes"] == first["bytes"]
    lines = texts[0][1].splitlines()
    assert lines[1] == f"cp '{first['url']}*' {first['SeriesInstanceUID']}/"
    assert len(lines) == 1 + len(content["series"])


def test_an_unknown_collection_is_named_with_those_that_are_alike():
    with pytest.raises(UnknownCollectionError, match=r"no collection nsclc_radiomix; alike: .*nsclc_radiomics"):
        series_of_idc(_idc("nsclc_radiomix"), NOWHERE)


@pytest.fixture
def indexes(tmp_path):
    """IDC's geometry and CT index with three series of NSCLC-Radiomics, of IDC's own columns and types."""
    import idc_index_data

    uids = duckdb.sql(
        f"SELECT SeriesInstanceUID FROM '{idc_index_data.IDC_INDEX_PARQUET_FILEPATH}' WHERE Modality = 'CT' "
        "AND collection_id = 'nsclc_radiomics' AND instanceCount > 100 ORDER BY 1 LIMIT 4"
    ).fetchall()
    fit, irregular, tilted, absent = (uid for (uid,) in uids)
    kinds = {"STRING": pa.string(), "BOOLEAN": pa.bool_(), "FLOAT": pa.float64(), "INTEGER": pa.int64()}

    def write(name, rows):
        schema = idc_index_data.INDEX_METADATA[name]["schema"]
        columns = [
            (column["name"], pa.list_(kinds[column["type"]]) if column["mode"] == "REPEATED" else kinds[column["type"]])
            for column in schema["columns"]
        ]
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), path)
        return path

    good = dict.fromkeys(
        ("single_orientation", "orthogonal_orientation", "unique_slice_positions", "consistent_in_plane_row",
         "consistent_in_plane_col", "consistent_pixel_spacing", "consistent_image_dimensions", "uniform_slice_spacing"),
        True,
    )  # fmt: skip
    axial = {"ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0]}
    geometry = [
        {"SeriesInstanceUID": fit, **good, **axial},
        {"SeriesInstanceUID": irregular, **good, "uniform_slice_spacing": False},
        {"SeriesInstanceUID": tilted, **good, "consistent_in_plane_col": False},
    ]
    attributes = [
        {"SeriesInstanceUID": uid, "ImageType": ["ORIGINAL", "PRIMARY", kind], "SliceThickness": 3.0}
        for uid, kind in ((fit, "AXIAL"), (irregular, "AXIAL"), (tilted, "LOCALIZER"))
    ]
    paths = {
        index_address("volume_geometry_index"): write("volume_geometry_index", geometry),
        index_address("ct_index"): write("ct_index", attributes),
    }
    return (fit, irregular, tilted, absent), paths


def test_the_geometry_index_preselects_further(indexes):
    (fit, irregular, tilted, absent), paths = indexes
    collection = _idc("nsclc_radiomics", slice_thickness_mm=[2, 4])
    judged = series_of_idc(collection, NOWHERE, index_file=paths.__getitem__)
    table = cohort(judged.series, judged.criteria, collection.selection, collection="mine").set_index(
        "SeriesInstanceUID"
    )
    assert judged.origin["indexes"] == ["ct_index", "volume_geometry_index"]
    assert table.loc[fit, "selected"]
    assert not table.loc[fit, "decided"]
    # Of CT attributes the index has those of any one image: only failing is known.
    assert list(table.loc[fit, "not_evaluated"]) == [
        "identified", "complete_files", "one_series", "not_localizer", "not_derived", "placed", "slice_thickness",
    ]  # fmt: skip
    assert list(table.loc[irregular, "failed_criteria"]) == ["regular_spacing"]
    assert "regular_spacing: fails (says the index" in table.loc[irregular, "reason"]
    assert list(table.loc[tilted, "failed_criteria"]) == ["not_localizer", "no_lateral_shift"]
    assert table.loc[absent, "selected"]
    assert "regular_spacing" in table.loc[absent, "not_evaluated"]


@pytest.mark.parametrize(
    ("chosen", "fit_knows", "irregular_fails", "tilted_fails"),
    [
        ({}, True, True, True),
        ({"spacing_tolerance": 0.2}, True, False, True),
        ({"spacing_tolerance": 0.001}, False, True, True),
        ({"lateral_shift_mm": 50}, True, True, False),
        ({"profile": "published"}, False, False, False),
    ],
)
def test_what_the_index_says_holds_only_at_its_own_tolerances(
    indexes, chosen, fit_knows, irregular_fails, tilted_fails
):
    (fit, irregular, tilted, _), paths = indexes
    paths[index_address("ct_index")] = _without_localizers(paths[index_address("ct_index")])
    collection = _idc("nsclc_radiomics", **chosen)
    judged = series_of_idc(collection, NOWHERE, index_file=paths.__getitem__)
    table = cohort(judged.series, judged.criteria, collection.selection, collection="mine").set_index(
        "SeriesInstanceUID"
    )
    assert ("regular_spacing" not in table.loc[fit, "not_evaluated"]) is fit_knows
    assert (not table.loc[irregular, "selected"]) is irregular_fails
    assert (not table.loc[tilted, "selected"]) is tilted_fails


def _without_localizers(path: Path) -> Path:
    rows = pq.read_table(path)
    rows = rows.set_column(1, "ImageType", pa.array([["ORIGINAL", "PRIMARY", "AXIAL"]] * len(rows)))
    pq.write_table(rows, path)
    return path


def test_an_index_of_other_columns_is_a_note(indexes, tmp_path):
    _, paths = indexes
    pq.write_table(pa.table({"SeriesInstanceUID": ["1.2.3"]}), tmp_path / "other.parquet")
    paths[index_address("volume_geometry_index")] = tmp_path / "other.parquet"
    judged = series_of_idc(_idc("nsclc_radiomics"), NOWHERE, index_file=paths.__getitem__)
    assert "has no column ImageOrientationPatient" in judged.notes[0]


def test_a_patient_whom_the_clinical_table_does_not_know_is_not_fetched(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("pid,flag\nLUNG1-001,1\nLUNG1-002,0\n")
    clinical = {"table": str(path), "patient_id": "pid", "column": "flag", "values": [1]}
    collection = _idc("nsclc_radiomics", clinical=clinical)
    judged = series_of_idc(collection, NOWHERE)
    table = cohort(judged.series, judged.criteria, collection.selection, collection="mine")
    assert table.loc[table["selected"], "PatientID"].tolist() == ["LUNG1-001"]
    assert selection_flow(judged.series, judged.criteria)["series_left"].iloc[-1] == 1


def test_an_index_that_cannot_be_had_is_a_note_and_no_failure():
    def unreachable(address: str) -> Path:
        raise ConnectionError(address)

    judged = series_of_idc(_idc("nsclc_radiomics"), NOWHERE, index_file=unreachable)
    (note,) = judged.notes
    assert "volume_geometry_index could not be had" in note
    assert "gs://idc-index-data-artifacts/" in note
    assert judged.series["selected"].any()
