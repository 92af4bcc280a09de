"""The views organ_shapes and shape_distributions, on organs that were measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ct_assets.collection_database import open_database
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import ORGANS
from ct_assets.shape_features.measure import NO_VOLUME, measure_organs
from ct_assets.shape_features.organ_mask import ORGAN_MISSING, organs_of_label_map
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, SHAPE_FEATURES

RAS = np.eye(4)
SIDES = (5, 6, 8, 10, 12)
"""Length of the heart of each series in voxels of 1 mm; it is 3 by 4 across. The third series is in no cohort."""


def uid(number: int) -> str:
    return f"1.2.3.{number}"


@pytest.fixture
def folder(tmp_path: Path) -> CollectionFolder:
    """Five series by 2d, the first also by the expert; the heart of the last one is cut off, its aorta is flat."""
    made = CollectionFolder(tmp_path)
    cohort = COHORT.empty()
    for number, side in enumerate(SIDES):
        labels = np.zeros((8, 8, 14), dtype=np.uint8)
        labels[2:5, 2:6, -side:] = 2
        if side < SIDES[-1]:
            labels = np.pad(labels, 1)
        else:
            labels[7, 6:8, 2:4] = 4
        organs = organs_of_label_map(labels, ORGANS, RAS, "digest")
        tables = [
            measure_organs(organs, RAS, series_instance_uid=uid(number), model=model, weights_digest=None)
            for model in (("2d", "expert") if number == 0 else ("2d",))
        ]
        series = made.series(uid(number))
        series.path.mkdir(parents=True)
        SHAPE_FEATURES.write(pd.concat(tables), series.shape_features)
        if number == 2:
            continue
        cohort.loc[number] = {
            **dict.fromkeys(COHORT.columns, None), "SeriesInstanceUID": uid(number), "PatientID": f"P{number}",
            "StudyInstanceUID": f"1.9.{number}", "selected": True, "decided": True,
        }  # fmt: skip
    made.cohort.path.mkdir()
    COHORT.write(cohort, made.cohort.cohort)
    return made


def ask(folder: CollectionFolder, sql: str) -> pd.DataFrame:
    return open_database(folder).connection.sql(sql).df()


def test_one_row_per_series_model_and_organ_with_a_column_per_feature(folder):
    shapes = ask(folder, "FROM organ_shapes")
    assert len(shapes) == (len(SIDES) + 1) * 4
    assert set(feature_codes()) <= set(shapes.columns)
    known = shapes[shapes["SeriesInstanceUID"] != uid(2)]
    assert list(known["PatientID"]) == sorted(known["PatientID"])
    assert (known["StudyInstanceUID"] == "1.9." + known["PatientID"].str[1:]).all()
    assert len(shapes) - len(known) == 4
    assert shapes["organ"].head(4).tolist() == list(ORGANS.values())
    heart = shapes.query("organ == 'heart' and model == '2d'")
    for name in feature_codes():
        long = ask(folder, f"FROM shape_features WHERE feature = '{name}' AND organ = 'heart' AND model = '2d'")
        ours = heart.sort_values("SeriesInstanceUID")[name]
        np.testing.assert_array_equal(ours, long.sort_values("SeriesInstanceUID")["value"])
    assert heart[list(feature_codes())].iloc[0].nunique() == len(feature_codes())
    missing = shapes.query("organ == 'trachea'")
    assert missing["Sphericity"].isna().all()
    assert set(missing["reason"]) == {ORGAN_MISSING}
    assert set(missing["components"]) == {0}


def test_an_organ_that_is_measured_in_part_is_one_row(tmp_path):
    labels = np.zeros((9, 9, 9), dtype=np.uint8)
    labels[tuple(np.array([(3, 3, 4), (3, 5, 5), (4, 5, 4), (5, 5, 3)]).T)] = 4
    organs = organs_of_label_map(labels, ORGANS, RAS, "digest")
    series = CollectionFolder(tmp_path).series(uid(0))
    series.path.mkdir(parents=True)
    table = measure_organs(organs, RAS, series_instance_uid=uid(0), model="2d", weights_digest=None)
    SHAPE_FEATURES.write(table, series.shape_features)
    aorta = ask(CollectionFolder(tmp_path), "FROM organ_shapes WHERE organ = 'aorta'")
    assert len(aorta) == 1
    assert aorta["reason"][0] == NO_VOLUME
    assert aorta["SurfaceArea"][0] > 0
    assert np.isnan(aorta["SurfaceVolumeRatio"][0])


def test_values_of_one_feature(folder):
    asked = "SELECT SeriesInstanceUID, VoxelVolume FROM organ_shapes WHERE organ = 'heart' AND model = '2d'"
    found = ask(folder, asked)
    found = found.sort_values("SeriesInstanceUID")
    assert found["SeriesInstanceUID"].tolist() == [uid(number) for number in range(5)]
    np.testing.assert_allclose(found["VoxelVolume"], 12 * np.array(SIDES))


def test_series_where_a_feature_lies_in_a_range(folder):
    hearts = "SELECT SeriesInstanceUID FROM organ_shapes WHERE organ = 'heart' AND model = '2d'"
    found = ask(folder, f"{hearts} AND VoxelVolume BETWEEN 70 AND 100")
    assert sorted(found["SeriesInstanceUID"]) == [uid(1), uid(2)]


def test_series_whose_organ_is_cut_off(folder):
    cut_off = "SELECT SeriesInstanceUID, at_border FROM organ_shapes WHERE list_contains(at_border, 'superior')"
    found = ask(folder, cut_off)
    assert found["SeriesInstanceUID"].tolist() == [uid(4)]
    assert found["at_border"][0].tolist() == ["superior"]
    flat = ask(folder, "SELECT reason FROM organ_shapes WHERE organ = 'aorta' AND reason LIKE '%flat%'")
    assert len(flat) == 1


def test_distribution_by_organ_and_model(folder):
    found = ask(folder, "FROM shape_distributions WHERE feature = 'VoxelVolume' ORDER BY ALL")
    in_order = ask(folder, "SELECT organ FROM shape_distributions WHERE feature = 'VoxelVolume' AND model = '2d'")
    assert in_order["organ"].tolist() == list(ORGANS.values())
    found = found.set_index(["organ", "model"])
    heart = found.loc[("heart", "2d")]
    values = 12.0 * np.array(SIDES)
    assert heart["n"] == 5
    assert heart["unit"] == "mm3"
    names = ["minimum", "p05", "q1", "median", "q3", "p95", "maximum", "mean", "standard_deviation"]
    expected = [*np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]), values.mean(), values.std(ddof=1)]
    np.testing.assert_allclose(heart[names].astype(float), expected)
    assert found.loc[("heart", "expert")]["n"] == 1
    trachea = found.loc[("trachea", "2d")]
    assert (trachea["n"], trachea["not_measured"]) == (0, 5)
    assert np.isnan(trachea["median"])


def test_both_are_empty_before_anything_is_measured(tmp_path):
    for view in ("organ_shapes", "shape_distributions"):
        assert ask(CollectionFolder(tmp_path), f"FROM {view}").empty
