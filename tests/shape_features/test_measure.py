"""The table of shape features: organs by their labels, reasons, parts, borders, software."""

import importlib.metadata

import numpy as np
import pandas as pd
import pytest

from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import ORGANS
from ct_assets.shape_features.measure import NO_VOLUME, engines, measure_organs
from ct_assets.shape_features.organ_mask import ORGAN_MISSING, organ_of_mask, organs_of_label_map
from ct_assets.shape_features.overview import shape_overview
from ct_assets.store.tables import SHAPE_FEATURES
from tests.shape_features.pyradiomics_oracle import assert_equal, pyradiomics_says

RAS = np.diag([1.0, 1.0, 2.0, 1.0])


def label_map() -> np.ndarray:
    """An esophagus that leaves the image at the first slice, a heart in two parts, a flat aorta, no trachea."""
    labels = np.zeros((20, 22, 24), dtype=np.uint8, order="F")
    labels[3:6, 4:7, 0:9] = 1
    labels[10:14, 10:14, 10:14] = labels[16:18, 16:18, 16:18] = 2
    labels[2:5, 15:18, 20] = 4
    return labels


def measured(labels: np.ndarray, affine: np.ndarray = RAS, engine: str = "fast") -> pd.DataFrame:
    organs = organs_of_label_map(labels, ORGANS, affine, "digest")
    return measure_organs(
        organs, affine, series_instance_uid="1.2", model="2d", weights_digest="weights", engine=engine
    )


def first_rows(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop_duplicates("organ").set_index("organ")


@pytest.mark.parametrize("order", ["C", "F"])
def test_organs_are_found_by_label(order):
    table = measured(np.array(label_map(), order=order))
    assert list(table.columns) == list(SHAPE_FEATURES.columns)
    assert len(table) == 4 * 14
    assert first_rows(table)["label"].to_dict() == {organ: label for label, organ in ORGANS.items()}
    volumes = table[table["feature"] == "VoxelVolume"].set_index("organ")["value"]
    assert volumes["esophagus"] == pytest.approx(3 * 3 * 9 * 2)
    assert volumes["heart"] == pytest.approx((64 + 8) * 2)
    assert volumes[["trachea", "aorta"]].isna().all()


def test_what_is_not_measured_says_why():
    reasons = first_rows(measured(label_map()))["reason"]
    assert reasons["trachea"] == ORGAN_MISSING
    assert reasons["aorta"] == "organ is flat (3 x 3 x 1 voxels), shape needs three dimensions"
    assert reasons[["esophagus", "heart"]].isna().all()
    one = np.zeros((5, 5, 5), dtype=np.uint8)
    one[2, 2, 2] = 3
    assert first_rows(measured(one))["reason"]["trachea"].startswith("organ is a single voxel")


def test_parts_and_borders_are_told_of_every_organ():
    rows = first_rows(measured(label_map()))
    assert rows["components"].to_dict() == {"esophagus": 1, "heart": 2, "trachea": 0, "aorta": 1}
    assert rows["at_border"].to_dict() == {"esophagus": ["inferior"], "heart": [], "trachea": [], "aorta": []}


def test_voxels_that_touch_by_a_corner_are_one_part():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[1:3, 1:3, 1:3] = mask[3:5, 3:5, 3:5] = True
    assert organ_of_mask(mask, 1, "esophagus", RAS, "").components == 1


@pytest.mark.parametrize(
    ("direction", "sides"),
    [
        (np.eye(3), "left right posterior anterior inferior superior"),
        (np.diag([-1.0, -1.0, 1.0]), "right left anterior posterior inferior superior"),
        (np.diag([1.0, 1.0, -1.0]), "left right posterior anterior superior inferior"),
        (np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), "posterior anterior inferior superior left right"),
        (np.array([[1.0, 0.3, 0], [-0.3, 1, 0.2], [0, -0.2, 1]]), "left right posterior anterior inferior superior"),
    ],
    ids=["RAS", "LPS", "feet up", "sagittal", "oblique"],
)
def test_borders_are_sides_of_the_body(direction, sides):
    affine = np.eye(4)
    affine[:3, :3] = direction
    for place, side in enumerate(sides.split()):
        axis, end = divmod(place, 2)
        mask = np.zeros((6, 6, 6), dtype=bool)
        np.moveaxis(mask, axis, 0)[slice(4, 6) if end else slice(0, 2), 2:4, 2:4] = True
        assert organ_of_mask(mask, 1, "aorta", affine, "").at_border == (side,)


def test_a_mask_is_measured_like_a_label():
    labels = label_map()
    mask = labels == 2
    affine = RAS
    organ = organ_of_mask(mask, 2, "heart", affine, "seg")
    table = measure_organs([organ], affine, series_instance_uid="1.2", model="expert", weights_digest=None)
    expected = measured(labels).query("organ == 'heart'")
    np.testing.assert_array_equal(table["value"], expected["value"])
    assert set(table["model"]) == {"expert"}
    assert set(table["segmentation"]) == {"seg"}
    assert table["weights_digest"].isna().all()
    assert set(table["label"]) == {2}


def test_an_organ_at_the_border_of_the_image_is_measured_like_one_inside():
    inside, border = np.zeros((12, 12, 12), dtype=np.uint8), np.zeros((12, 12, 12), dtype=np.uint8)
    inside[3:8, 3:8, 3:8] = border[0:5, 7:12, 0:5] = 1
    for column in ("value", "components"):
        np.testing.assert_array_equal(measured(inside)[column], measured(border)[column])


def test_values_have_full_precision_and_codes(tmp_path):
    table = measured(label_map())
    SHAPE_FEATURES.write(table, tmp_path / "shape_features.parquet")
    read = SHAPE_FEATURES.read(tmp_path / "shape_features.parquet")
    np.testing.assert_array_equal(read["value"], table["value"])
    codes = feature_codes()
    assert [(row.code, row.unit) for row in read.itertuples()] == [
        (codes[name].quantity.value, codes[name].unit.value) for name in read["feature"]
    ]
    assert [list(sides) for sides in read["at_border"]] == table["at_border"].tolist()


@pytest.mark.parametrize(("engine", "package"), [("fast", "ct-assets"), ("pyradiomics", "pyradiomics")])
def test_the_table_says_what_measured_it(engine, package):
    table = measured(label_map(), engine=engine)
    assert set(table["software"]) == {f"{package} {importlib.metadata.version(package)}"}
    assert engines(table) == {engine}
    assert engines(table.assign(software="other 1.0")) == {"other"}


def test_both_engines_give_one_table():
    fast, slow = measured(label_map()), measured(label_map(), engine="pyradiomics")
    np.testing.assert_allclose(fast["value"], slow["value"], rtol=1e-9)
    same = [name for name in fast.columns if name not in {"value", "software"}]
    pd.testing.assert_frame_equal(fast[same], slow[same])


def test_an_organ_as_large_as_the_image_loses_no_digits():
    """Its variance, times the square of the number of voxels, has more than 64 bits."""
    mask = np.ones((2, 2, 60_000), dtype=bool)
    organ = organ_of_mask(mask, 2, "heart", np.eye(4), "")
    table = measure_organs([organ], np.eye(4), series_instance_uid="1", model="2d", weights_digest=None)
    values = table.set_index("feature")["value"]
    assert values["MajorAxisLength"] == pytest.approx(4 * np.sqrt((60_000**2 - 1) / 12), rel=1e-14)
    assert values["LeastAxisLength"] == pytest.approx(2, rel=1e-9)
    assert len(first_rows(table)["at_border"]["heart"]) == 6


@pytest.mark.parametrize("engine", ["fast", "pyradiomics"])
def test_what_is_divided_by_no_volume_is_null_with_a_reason(engine):
    labels = np.zeros((9, 9, 9), dtype=np.uint8)
    labels[tuple(np.array([(3, 3, 4), (3, 5, 5), (4, 5, 4), (5, 5, 3)]).T)] = 4
    aorta = measured(labels, np.eye(4), engine).query("organ == 'aorta'").set_index("feature")
    null = aorta.index[aorta["value"].isna()]
    assert set(null) == {"SurfaceVolumeRatio", "SphericalDisproportion"}
    assert set(aorta.loc[null, "reason"]) == {NO_VOLUME}
    assert aorta["reason"].drop(null).isna().all()
    shown = shape_overview(aorta.reset_index())[0]
    assert (shown["sphericity"], shown["parts"], shown["not measured because"]) == (0, 2, NO_VOLUME)


def test_every_axis_has_its_own_voxel_size():
    affine = np.diag([0.7, 1.3, 2.9, 1.0])
    values = measured(label_map(), affine).query("organ == 'heart'").set_index("feature")["value"]
    assert_equal(values.to_dict(), pyradiomics_says(label_map() == 2, (0.7, 1.3, 2.9)))


def test_the_overview_shows_what_a_reviewer_asks_first():
    esophagus, heart, trachea, aorta = shape_overview(measured(label_map()))
    assert (esophagus["model"], esophagus["organ"], esophagus["touches the border"]) == ("2d", "esophagus", "inferior")
    assert esophagus["volume_ml"] == pytest.approx(0.13, abs=0.03)
    assert esophagus["diameter_mm"] == pytest.approx(np.sqrt(18**2 + 2 * 2**2), abs=0.1)
    assert heart["parts"] == 2
    assert (trachea["volume_ml"], trachea["not measured because"]) == ("", ORGAN_MISSING)
    assert "flat" in aorta["not measured because"]
