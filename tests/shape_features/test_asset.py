"""The asset shape_features: the engine of the collection measures what lies in the store."""

import dagster as dg
import numpy as np
import pytest

from ct_assets.collection import Collection
from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.volume import load_label_map, save_label_map
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.organ_seg.segment import describe_organs
from ct_assets.organs import ORGANS
from ct_assets.partitions import scopes
from ct_assets.provenance import Provenance
from ct_assets.shape_features.asset import shape_features
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import SHAPE_FEATURES
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from tests.shape_features.pyradiomics_oracle import assert_equal, pyradiomics_says

UID = "1.2.3"
MODELS = ("2d", "3d_lowres")


@pytest.fixture
def store(shared_data, tmp_path) -> SeriesStore:
    """A real CT and two label maps: in the second the organs lie elsewhere, and there is no esophagus."""
    store = SeriesStore(root=str(tmp_path))
    folder = store.series("some", UID)
    convert(sorted((shared_data / "real/chest_ct_64/dicom").iterdir()), folder)
    record = read_ct_record(folder.ct_record)
    labels = np.zeros(record.shape, dtype=np.uint8)
    labels[4:7, 10:14, :20] = 1
    labels[20:34, 22:40, 12:30] = 2
    labels[40:43, 40:44, 5:25] = 3
    labels[40:46, 10:18, 8:28] = 4
    moved = np.roll(labels, 3, axis=0)
    for model, drawn in zip(MODELS, (labels, np.where(moved == 1, 0, moved)), strict=True):
        _put(folder, model, drawn)
    return store


def _put(folder: SeriesFolder, model: str, labels: np.ndarray) -> None:
    record = read_ct_record(folder.ct_record)
    folder.label_map(model).parent.mkdir(exist_ok=True)
    save_label_map(labels.astype(np.uint8), folder.ct_nifti, folder.label_map(model))
    LabelMapRecord(
        series_instance_uid=UID,
        source_digest=record.source_digest,
        label_map_digest=file_digest(folder.label_map(model)),
        provenance=Provenance(
            name="drawn", configuration=model, weights_digest=model * 9, software="drawn 0", demonstration=True
        ),
        organs=describe_organs(labels, record.spacing_mm),
        seconds=0,
    ).write(folder.label_map_record(model))


@pytest.mark.parametrize("engine", ["fast", "pyradiomics"])
def test_each_label_map_is_measured_on_the_grid_of_its_ct(store, shared_data, engine):
    collection = Collection.model_validate(
        {
            "name": "some",
            "title": "Some",
            "demonstration": True,
            "source": {"kind": "folder", "path": str(shared_data)},
            "organ_segmentation": {"model": "demo", "configurations": MODELS},
            "body_part_regression": {"model": "demo"},
            "shape_features": {"engine": engine},
        }
    )
    (scope,) = scopes(collection)
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("some_series", [UID])
    result = dg.materialize(
        [shape_features(scope)],
        instance=instance,
        partition_key=UID,
        resources={"series_store": store, "dicom_source": DicomSource()},
    )
    folder = store.series("some", UID)
    table = SHAPE_FEATURES.read(folder.shape_features)
    spacing = read_ct_record(folder.ct_record).spacing_mm
    assert set(table["model"]) == set(MODELS)
    for model in MODELS:
        labels = load_label_map(folder.label_map(model))
        of_model = table[table["model"] == model]
        assert set(of_model["segmentation"]) == {file_digest(folder.label_map(model))}
        assert set(of_model["weights_digest"]) == {model * 9}
        for label, organ in ORGANS.items():
            values = of_model[of_model["organ"] == organ].set_index("feature")["value"]
            if (labels == label).any():
                assert_equal(values.to_dict(), pyradiomics_says(labels == label, spacing))
            else:
                assert values.isna().all()
    assert {software.split()[0] for software in table["software"]} == {
        {"fast": "ct-assets", "pyradiomics": "pyradiomics"}[engine]
    }
    metadata = result.asset_materializations_for_node("some__shape_features")[0].metadata
    assert metadata["measured"].value + metadata["not_measurable"].value == len(table) == 2 * 4 * 14
    assert metadata["measured"].value == 14 * 7
    shown = metadata["organs"].records
    assert len(shown) == 2 * 4
    assert "inferior" in shown[0].data["touches the border"]
