"""SEGs back to NIfTI: full-grid label maps on the geometry of the CT."""

from collections.abc import Sequence
from pathlib import Path

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.segmentation import read_seg
from ct_assets.ct_nifti.volume import save_label_map
from ct_assets.dicom.written import read_objects
from ct_assets.export.errors import ExportError, NoSuchSegmentationError
from ct_assets.export.reviewed import reviewed
from ct_assets.review.history import Reviews, series_reviews
from ct_assets.store.paths import CollectionFolder, SeriesFolder


def export_label_maps(folder: SeriesFolder, models: Sequence[str], target: Path) -> list[Path]:
    """Write SEGs as label maps; SegmentNumber becomes label, and slices without a frame are there, empty.

    Parameters
    ----------
    folder : SeriesFolder
        The series, with ct.nii.gz.
    models : sequence of str
        Models to write; empty: every one that has a SEG which no reviewer withholds.
    target : Path
        Folder for `<SeriesInstanceUID>_<model>.nii.gz`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    NoSuchSegmentationError
        If a model has no SEG, with the reason where it is known.
    ExportError
        If a reviewer rejected the series or a model that is asked for, or says that it needs correction.
    FileNotFoundError, RecordError, UnfitSeriesError, UnusableSegmentationError
        If the CT or a SEG cannot be read.
    """
    record = read_ct_record(folder.ct_record)
    written = read_objects(folder.seg_objects)
    withheld = _withheld(folder)
    wanted = list(models) or [name for name, one in written.items() if one.reference and name not in withheld]
    refused = [withheld[name] for name in wanted or withheld if name in withheld]
    if refused:
        message = f"series {record.series_instance_uid}: {'; '.join(dict.fromkeys(refused))}"
        raise ExportError(message)
    missing = [model for model in wanted if not folder.seg(model).is_file()]
    if missing or not wanted:
        reasons = [f"{name}: {one.absent}" for name, one in written.items() if one.absent]
        lacking = ", ".join(missing) or "any model"
        message = (
            f"series {record.series_instance_uid} has no SEG of {lacking}: {', '.join(reasons) or 'no such model'}"
        )
        raise NoSuchSegmentationError(message)
    files = []
    for model in wanted:
        path = target / f"{record.series_instance_uid}_{model}.nii.gz"
        save_label_map(read_seg(folder.seg(model), record), folder.ct_nifti, path)
        files.append(path)
    return files


def _withheld(folder: SeriesFolder) -> dict[str, str]:
    """Return the models whose label maps reviewers withhold, with the reasons; a damaged verdict is an error."""
    store = CollectionFolder(folder.path.parent.parent)
    uid = folder.series_instance_uid
    verdict = reviewed(folder, Reviews({uid: series_reviews(store, uid)}))
    if verdict.refusals:
        return dict.fromkeys(read_objects(folder.seg_objects), verdict.refusals[0])
    return {name.removeprefix("seg/"): why for name, why in verdict.withheld.items() if name.startswith("seg/")}
