"""Manifests that come from outside."""

import json

import pytest

from ct_assets.cohort_table.manifest import ManifestError, series_of_manifest

GOOD = {
    "SeriesInstanceUID": "1.2.3",
    "url": "s3://idc-open-data/6f672473-14dd-4715-8dc6-80735c3a6351/",
    "objects": 3,
    "object_bytes": 1000,
}


def _write(folder, content) -> object:
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_manifest_says_what_to_fetch(tmp_path):
    path = _write(
        tmp_path, {"schema_version": 2, "series": [{**GOOD, "experts": [{**GOOD, "SeriesInstanceUID": "1.2.4"}]}]}
    )
    assert [(s.series_instance_uid, s.instances, s.size) for s in series_of_manifest(path)] == [
        ("1.2.3", 3, 1000),
        ("1.2.4", 3, 1000),
    ]
    with pytest.raises(ManifestError, match=r"has no series 1\.2\.9"):
        series_of_manifest(path, ["1.2.9"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no manifest of a cohort"),
        ("[]", "is no manifest of a cohort"),
        ({"schema_version": 1, "series": [{"SeriesInstanceUID": "1.2"}]}, "is version 1, expected 2"),
        ({"schema_version": 2, "series": ["x"]}, r"series\.0"),
        (
            {"schema_version": 2, "series": [{**GOOD, "SeriesInstanceUID": "../../etc"}]},
            r"series\.0\.SeriesInstanceUID",
        ),
        ({"schema_version": 2, "series": [{**GOOD, "SeriesInstanceUID": 5}]}, r"series\.0\.SeriesInstanceUID"),
        ({"schema_version": 2, "series": [{**GOOD, "url": 5}]}, r"series\.0\.url"),
        ({"schema_version": 2, "series": [{**GOOD, "url": "s3://[x/"}]}, r"series\.0\.url"),
        ({"schema_version": 2, "series": [{**GOOD, "url": "file:///etc/"}]}, r"series\.0\.url"),
        ({"schema_version": 2, "series": [{**GOOD, "objects": -1}]}, r"series\.0\.objects"),
        ({"schema_version": 2, "series": [{"SeriesInstanceUID": "1.2"}]}, "names no series in a public bucket"),
        ({"schema_version": 2, "series": []}, "names no series in a public bucket"),
    ],
)
def test_what_is_no_manifest_is_refused_by_name(tmp_path, content, told):
    path = _write(tmp_path, content)
    with pytest.raises(ManifestError, match=told) as error:
        series_of_manifest(path)
    assert str(path) in str(error.value)
