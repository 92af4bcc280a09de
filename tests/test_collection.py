from pathlib import Path

import pytest

from ct_assets.collection import CollectionError, Expert, OrganSegmentation, load_collection, load_collections

REPOSITORY = Path(__file__).resolve().parent.parent


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


VALID = """
name: mine
title: Mine
demonstration: true
source: {kind: folder, path: /somewhere}
organ_segmentation: {model: demo, configurations: [2d]}
body_part_regression: {model: demo}
"""


def test_the_collections_of_the_project_are_valid_and_follow_the_paper():
    collections = {collection.name: collection for collection in load_collections(REPOSITORY / "collections")}
    assert set(collections) == {"demo", "nlst", "nsclc_radiomics"}
    assert set(collections["nsclc_radiomics"].models) == {"2d", "3d_lowres", "3d_fullres"}
    assert collections["nsclc_radiomics"].expert is not None
    assert collections["nlst"].models == ("3d_fullres",)
    assert collections["nlst"].organ_segmentation.tta
    assert collections["nlst"].selection.minimum_slices == 101


def test_a_minimal_collection_is_enough(tmp_path):
    assert load_collection(_write(tmp_path, VALID)).shards == 1


@pytest.mark.parametrize(
    ("expert", "description"),
    [
        ({}, "Segmentation"),
        ({"modality": "SEG", "series_description": "Mine"}, "Mine"),
        ({"modality": "RTSTRUCT"}, None),
        ({"modality": "RTSTRUCT", "series_description": None}, None),
        ({"modality": "RTSTRUCT", "series_description": "Mine"}, "Mine"),
    ],
)
def test_only_a_seg_has_a_series_description_by_default(expert, description):
    chosen = Expert.model_validate({"structures": {"heart": "Heart"}, **expert})
    assert chosen.series_description == description
    assert Expert.model_validate(chosen.model_dump()) == chosen


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (VALID.replace("configurations: [2d]", "configurations: [4d]"), ["configurations.0", "'3d_fullres'", "4d"]),
        (
            VALID.replace("model: demo, ", "modle: demo, "),
            ["organ_segmentation.modle", "unknown; allowed here", "model"],
        ),
        (VALID.replace("title: Mine\n", ""), ["key title", "required"]),
        (VALID.replace("demonstration: true\n", ""), ["key demonstration", "must be true where a model is demo"]),
        (VALID.replace("name: mine", "name: other"), ["key name", "must equal the file's name"]),
        (VALID.replace("kind: folder", "kind: ftp"), ["key source", "'folder'", "'idc'"]),
        (VALID + "selection: {slice_thickness_mm: [3, 1.5]}\n", ["slice_thickness_mm", "must be the smaller"]),
        (VALID + "selection: {minimum_slics: 3}\n", ["selection.minimum_slics", "unknown", "lateral_shift_mm"]),
        (
            VALID + "selection: {profile: published, spacing_tolerance: 0.1}\n",
            ["selection.spacing_tolerance", "unknown; allowed here: clinical, maximum_distinct_gaps", "near_axial"],
        ),
        (VALID + "selection: {profile: publishd}\n", ["key selection", "profile must be 'strict' or 'published'"]),
        (VALID + "selection: {clinical: {table: x.csv}}\n", ["selection.clinical.patient_id", "required"]),
        (
            VALID.replace("{kind: folder, path: /somewhere}", "{kind: idc, collection_id: nlst, mirror: /m, path: /p}"),
            ["source.path", "unknown; allowed here: bucket, collection_id, geometry_index, kind, mirror"],
        ),
        (
            VALID.replace(
                "{kind: folder, path: /somewhere}", "{kind: bigquery, collection_id: x, mirror: /m, table: t}"
            ),
            ["source.table", "should match pattern", "'t'"],
        ),
        (VALID + "selection: {lateral_shift_mm: .inf}\n", ["selection.lateral_shift_mm", "finite"]),
        (VALID + "selection: {slice_thickness_mm: [0, .inf]}\n", ["selection.slice_thickness_mm.1", "finite"]),
        (VALID + "schedule: {cron: every day}\n", ["key schedule.cron", "every day"]),
        (VALID.replace("configurations: [2d]", "folds: [0, 0]"), ["organ_segmentation.folds", "each only once"]),
        (
            VALID + "expert: {modality: RTDOSE, structures: {heart: Heart}}\n",
            ["key expert.modality", "'SEG' or 'RTSTRUCT'", "RTDOSE"],
        ),
        (
            VALID + "expert: {series_description: null, structures: {heart: Heart}}\n",
            ["key expert.series_description", "only modality: RTSTRUCT does without"],
        ),
        (VALID + "expert: {modality: RTSTRUCT}\n", ["key expert.structures", "required"]),
        (VALID + "shards: 0\n", ["key shards", "greater than or equal to 1"]),
        ("- just\n- a list\n", ["must be a mapping", "title"]),
        ("name: [unclosed", ["not valid YAML"]),
    ],
)
def test_a_bad_yaml_is_refused_by_file_key_and_what_is_allowed(tmp_path, wrong, named):
    path = _write(tmp_path, wrong)
    with pytest.raises(CollectionError) as error:
        load_collection(path)
    for part in (str(path), *named):
        assert part in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CollectionError, match=r"gone\.yaml: cannot be read"):
        load_collection(tmp_path / "gone.yaml")


def test_an_unset_variable_in_a_path_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    collection = load_collection(_write(tmp_path, VALID.replace("/somewhere", "'${NOWHERE}/dicom'")))
    with pytest.raises(CollectionError, match="NOWHERE is not set"):
        _ = collection.source.folder


def test_series_of_the_imaging_data_commons_open_in_its_viewer(tmp_path):
    idc = "{kind: idc, collection_id: nlst, mirror: /mirror}"
    bigquery = idc.replace("kind: idc", "kind: bigquery")
    for source in (idc, bigquery):
        text = VALID.replace("{kind: folder, path: /somewhere}", source)
        assert load_collection(_write(tmp_path, text)).viewer_url == (
            "https://viewer.imaging.datacommons.cancer.gov/viewer/{study}?seriesInstanceUID={series}"
        )
        own = load_collection(_write(tmp_path, text + "viewer_url: https://mine.org/{series}\n"))
        assert own.viewer_url == "https://mine.org/{series}"
        assert load_collection(_write(tmp_path, text + "viewer_url: null\n")).viewer_url is None
    assert load_collection(_write(tmp_path, VALID)).viewer_url is None
    for name in ("nlst", "nsclc_radiomics"):
        assert "imaging.datacommons" in str(load_collection(REPOSITORY / "collections" / f"{name}.yaml").viewer_url)


@pytest.mark.parametrize(
    ("given", "folds", "tta"),
    [
        ({}, None, True),
        ({"preset": "full"}, None, True),
        ({"preset": "fast"}, (0,), False),
        ({"preset": "fast", "tta": True}, (0,), True),
        ({"preset": "fast", "folds": None}, None, False),
        ({"preset": "fast", "folds": [4, 1]}, (1, 4), False),
        ({"folds": [2]}, (2,), True),
    ],
)
def test_the_preset_of_a_segmentation_gives_way_to_what_is_named(given, folds, tta):
    segmentation = OrganSegmentation.model_validate({"model": "demo", **given})
    assert (segmentation.folds, segmentation.tta) == (folds, tta)


@pytest.mark.parametrize(
    "cron",
    [
        "99 * * * *",
        "* 24 * * *",
        "*/0 * * * *",
        "9-3 * * * *",
        "0 0 31 2 *",
        "0 0 31 feb 2",
        "0 0 0 1 *",
        "0 0 * xyz *",
    ],
)
def test_a_cron_expression_without_a_moment_is_an_error_that_names_the_key(tmp_path, cron):
    """Dagster would refuse the whole code location, and with it every other collection."""
    with pytest.raises(CollectionError, match=r"mine\.yaml: key schedule\.cron: value error"):
        load_collection(_write(tmp_path, f"{VALID}schedule: {{cron: '{cron}'}}\n"))


@pytest.mark.parametrize(
    "cron", ["0 2 * * *", "*/15 0-6,22 1,15 * mon-fri", "0 0 29 2 *", "0 0 31 * SUN", "5/10 * * * 7", "@daily"]
)
def test_what_dagster_takes_as_a_schedule_is_a_cron_expression(tmp_path, cron):
    from dagster._utils.schedules import is_valid_cron_schedule

    assert is_valid_cron_schedule(cron)
    assert load_collection(_write(tmp_path, f"{VALID}schedule: {{cron: '{cron}'}}\n")).schedule.cron == cron
