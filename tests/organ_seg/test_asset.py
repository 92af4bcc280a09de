"""The asset organ_seg: what its metadata say is what lies in the store."""

import dagster as dg
import numpy as np

from ct_assets.collection import Collection
from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.organ_seg.asset import organ_seg
from ct_assets.organ_seg.checks import organ_seg_checks
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.organs import ORGANS
from ct_assets.partitions import scopes
from resources.compute import Compute
from resources.model_store import ModelStore
from resources.series_store import SeriesStore


def test_metadata_show_organs_and_stages(shared_data, model_home, tmp_path):
    collection = Collection.model_validate(
        {
            "name": "some",
            "title": "Some",
            "demonstration": True,
            "source": {"kind": "folder", "path": "/nowhere"},
            "organ_segmentation": {"model": "demo", "preset": "fast", "configurations": ["3d_lowres"]},
            "body_part_regression": {"model": "demo"},
        }
    )
    store = SeriesStore(root=str(tmp_path))
    files = sorted((shared_data / "real/chest_ct_64/dicom").iterdir())
    uid = "1.2.3"
    folder = store.series("some", uid)
    convert(files, folder)
    assert read_ct_record(folder.ct_record).spacing_mm is not None
    (scope,) = scopes(collection)
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("some_series", [uid])
    result = dg.materialize(
        [organ_seg(scope), *organ_seg_checks(scope)],
        instance=instance,
        partition_key=uid,
        resources={
            "series_store": store,
            "model_store": ModelStore(root=str(model_home / "models")),
            "compute": Compute(kind="in_process"),
        },
    )
    metadata = result.asset_materializations_for_node("some__organ_seg")[0].metadata
    labels = load_label_map(folder.label_map("3d_lowres"))
    for label, organ in ORGANS.items():
        shown = metadata["3d_lowres/organs"].records[label - 1].data
        assert (shown["organ"], shown["label"]) == (organ, label)
        assert shown["voxels"] == np.count_nonzero(labels == label)
        if shown["voxels"]:
            places = np.argwhere(labels == label)
            ends = zip(places.min(0), places.max(0), strict=True)
            assert shown["box"] == " x ".join(f"{first}-{last}" for first, last in ends)
        else:
            assert shown["box"] == "not found"
    stages = [record.data["stage"] for record in metadata["3d_lowres/stages"].records]
    assert stages[:4] == ["read", "preprocess", "network", "export"]
    assert metadata["3d_lowres/remark"].value == "none"
    made = read_label_map_record(folder.label_map_record("3d_lowres")).provenance
    assert (made.folds, made.tta, made.mixed_precision) == ((0,), False, False)
    (check,) = result.get_asset_check_evaluations()
    assert check.passed == all(np.any(labels == label) for label in ORGANS)
