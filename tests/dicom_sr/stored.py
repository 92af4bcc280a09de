"""A series in the store, as the assets leave it, from an annotated one."""

import shutil
from pathlib import Path

from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.dicom_sr.tables import write_measurement_tables
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES
from tests.dicom_sr.conftest import Annotated

MODEL = "3d_fullres"


def store(annotated: Annotated, root: Path) -> SeriesFolder:
    """Write records, tables, SEG, SRs and their tables below a collection's folder."""
    record = annotated.example.record
    folder = CollectionFolder(root).series(record.series_instance_uid)
    folder.path.mkdir(parents=True)
    record.write(folder.ct_record)
    BodyPartRecord(
        series_instance_uid=record.series_instance_uid,
        source_digest=record.source_digest,
        provenance=annotated.provenance,
        landmark_rule="corrected",
        body_part_examined=None,
        valid_z_spacing=None,
        reverse_z_ordering=None,
        slope_ratio=None,
        expected_z_spacing_mm=None,
        lung_extent_mm=None,
        slice_scores=(None,) * len(record.slices),
        slice_regions=annotated.slice_regions,
        reason=None,
        seconds=0,
    ).write(folder.bpr_record)
    features = annotated.features[annotated.features["model"] == MODEL]
    SHAPE_FEATURES.write(features, folder.shape_features)
    LANDMARKS.write(annotated.landmarks.astype({"slice_index": "Int64"}), folder.landmarks)
    folder.seg(MODEL).parent.mkdir()
    shutil.copyfile(annotated.seg, folder.seg(MODEL))
    folder.landmarks_sr.parent.mkdir()
    written = annotated.write(root / "written")
    for name, path in (
        ("features", folder.features_sr(MODEL)),
        ("landmarks", folder.landmarks_sr),
        ("regions", folder.regions_sr),
    ):
        written[name].rename(path)
    write_measurement_tables(folder)
    return folder
