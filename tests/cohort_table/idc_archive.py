"""A collection of the Imaging Data Commons on loopback: three series and a SEG in a bucket, and an index of them."""

from pathlib import Path

import duckdb
import idc_index_data
import pydicom
import pytest

from ct_assets.cohort_table.source import idc_metadata
from tests.resources.object_servers import Cloud

FIT, IRREGULAR, SHORT = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"
SEG = "1.2.826.0.1.4"
STUDY = "1.2.826.0.1"


def _objects(folder: Path, uid: str, leave_out: int | None = None, most: int = 10_000) -> dict[str, bytes]:
    """The slices of a real series under another UID, all in one study; one may be left out."""
    objects = {}
    for number, path in enumerate(sorted(folder.glob("*.dcm"))[:most]):
        if number != leave_out:
            image = pydicom.dcmread(path)
            image.SeriesInstanceUID, image.StudyInstanceUID, image.PatientID = uid, STUDY, "P1"
            image.SOPInstanceUID = f"{uid}.{number + 1}"
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            buffer = pydicom.filebase.DicomBytesIO()
            image.save_as(buffer)
            objects[f"{number:08d}-0000-0000-0000-000000000000.dcm"] = buffer.getvalue()
    return objects


@pytest.fixture
def archive(cloud: Cloud, shared_data, tmp_path, monkeypatch) -> Cloud:
    """Three series in a bucket on loopback, and an index of the form of IDC's that knows them."""
    crops = shared_data / "real/lung_ct_crops"
    series = {
        FIT: _objects(crops / "pat_2", FIT, most=30),
        IRREGULAR: _objects(crops / "pat_1", IRREGULAR, leave_out=12, most=40),
        SHORT: _objects(crops / "pat_2", SHORT, most=3),
        SEG: {"seg.dcm": (shared_data / "real/dcmqi_examples/liver.dcm").read_bytes()},
    }
    rows = []
    for uid, objects in series.items():
        remote = cloud.put_series(uid, objects)
        bucket, folder = remote.url.split("/")[2:4]
        rows.append((uid, len(objects), remote.size, bucket, folder))
    ct, seg = ["CT", "1.2.840.10008.5.1.4.1.1.2", ""], ["SEG", "1.2.840.10008.5.1.4.1.1.66.4", "Segmentation"]
    values = ", ".join(
        f"('P1', '{uid}', '{STUDY}', {seg if uid == SEG else ct}, {count}, '{bucket}', '{folder}', {size})"
        for uid, count, size, bucket, folder in rows
    )
    index = tmp_path / "idc_index.parquet"
    duckdb.sql(
        "COPY (SELECT 'mine' AS collection_id, NULL::VARCHAR AS analysis_result_id, PatientID, SeriesInstanceUID, "
        "StudyInstanceUID, kind[1] AS Modality, kind[2] AS SOPClassUID, kind[3] AS SeriesDescription, "
        "instanceCount::BIGINT AS instanceCount, aws_bucket, crdc_series_uuid, size / 1000000 AS series_size_MB "
        f"FROM (VALUES {values}) AS t(PatientID, SeriesInstanceUID, StudyInstanceUID, kind, instanceCount, "
        f"aws_bucket, crdc_series_uuid, size)) TO '{index}' (FORMAT parquet)"
    )
    known = {
        "idc_index": index,
        "version_metadata_index": Path(
            str(idc_index_data.INDEX_METADATA["version_metadata_index"]["parquet_filepath"])
        ),
    }
    monkeypatch.setattr(idc_metadata, "_file", known.__getitem__)
    return cloud
