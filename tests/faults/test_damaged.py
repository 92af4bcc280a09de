"""A file of the store that was damaged: what reads it names it and the asset to materialize, and a new run mends it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ct_assets.completion import Completion, read_completion
from tests.faults.chain import MODEL, Chain
from tests.faults.contents import said, visible
from tests.faults.tiny import write_tiny

READ_BY = {
    "ct.nii.gz": ("ct_nifti", ("organ_seg", "bpr_json", "qc_report")),
    "ct.json": ("ct_nifti", ("organ_seg", "bpr_json", "shape_features", "dicom_seg", "dicom_sr", "qc_report")),
    f"organ_seg/{MODEL}.nii.gz": ("organ_seg", ("shape_features", "dicom_seg", "qc_report")),
    f"organ_seg/{MODEL}.json": ("organ_seg", ("shape_features", "dicom_seg", "dicom_sr", "qc_report")),
    "bpr_record.json": ("bpr_json", ("dicom_sr", "qc_report")),
    "landmarks.parquet": ("bpr_json", ("dicom_sr", "qc_report")),
    "regions.parquet": ("bpr_json", ("qc_report",)),
    "shape_features.parquet": ("shape_features", ("dicom_sr", "qc_report")),
    f"seg/{MODEL}.dcm": ("dicom_seg", ("dicom_sr",)),
}
"""Files that later assets read: who writes them, and who reads them."""

READ_BY_NO_ASSET_OF_THE_SERIES = (
    "bpr.json", "seg/objects.json", f"sr/{MODEL}_features.dcm", "sr/landmarks.dcm", "sr/regions.dcm",
    "sr/objects.json", "sr/measurement_groups.parquet", "sr/quantitative_measurements.parquet",
    "sr/qualitative_measurements.parquet", "qc.parquet", "complete.json",
)  # fmt: skip


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _spoil(path: Path) -> None:
    """Turn a third of the bytes, in the middle; the size stays."""
    content = bytearray(path.read_bytes())
    third = slice(len(content) // 3, len(content) * 2 // 3)
    content[third] = bytes(byte ^ 0x55 for byte in content[third])
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {"cut off": _cut, "spoilt": _spoil}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", READ_BY)
def test_what_reads_a_damaged_file_names_it_and_what_to_materialize(finished, name, damage):
    path = finished.series.path / name
    damage(path)
    writer, readers = READ_BY[name]
    failed = finished.materialize(*readers).answer
    assert tuple(failed) == readers
    for reader, reason in failed.items():
        assert reason.startswith(f"{reader}: {path}"), reason
        assert f"materialize {writer}" in reason


def test_every_file_of_a_series_is_accounted_for(undisturbed):
    folder = undisturbed.series.path
    names = {path.relative_to(folder).as_posix() for path in visible(folder)}
    assert names == {*READ_BY, *READ_BY_NO_ASSET_OF_THE_SERIES, "qc.html"}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_annotating_again_calls_no_damaged_series_unchanged_and_mends_it(undisturbed, finished, damage):
    """All files at once: each alone is told from what was made, in the test below."""
    for path in visible(finished.series.path):
        damage(path)
    again = finished.annotate().answer
    assert [(series.status, series.reused) for series in again.series] == [("annotated", False)]
    assert again.complete
    assert said(finished.series) == said(undisturbed.series)


def test_a_finished_series_is_told_from_one_that_was_damaged(finished):
    folder = finished.series
    key = Completion.read(folder.completion, "qc_report").key
    assert read_completion(folder, key)
    for path in [path for path in visible(folder.path) if path != folder.qc_page]:
        before = path.read_bytes()
        for damage in DAMAGES.values():
            damage(path)
            assert read_completion(folder, key) is None, path
            path.write_bytes(before)
        assert read_completion(folder, key), "the same bytes, written again, are the same file"


def test_the_page_of_the_collection_names_a_damaged_series_and_shows_the_others(undisturbed, tmp_path):
    chain = Chain(tmp_path / "dicom", tmp_path / "out", undisturbed.home)
    for patient in (1, 2, 3):
        write_tiny(chain.source / str(patient), patient)
    assert chain.annotate().answer.complete
    first, second, third = chain.store.all_series()
    _spoil(first.qc_table)
    _cut(second.shape_features)
    done = chain.materialize("cohort_report")
    assert done.answer == {}
    page = chain.store.cohort.report.read_text()
    assert f"{first.series_instance_uid}/qc.parquet</td><td>is damaged" in page
    assert f"{second.series_instance_uid}/shape_features.parquet</td><td>is damaged" in page
    assert third.series_instance_uid in page
    assert chain.store.cohort.report.stat().st_size > 100_000
