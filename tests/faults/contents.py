"""Whether files can be read, and whether two folders of results say the same."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pydicom

from ct_assets.store.paths import SeriesFolder

_TIMES = {"seconds", "stages"}


def visible(folder: Path) -> Iterator[Path]:
    """The files that a person or a program sees."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))


def leftovers(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob(".*") if path.is_file())


def read_whole(path: Path) -> Any:
    """Read all of a file, whatever it is; an error if it is half of one."""
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.name.endswith(".nii.gz"):
        return np.asarray(nib.load(path).dataobj)
    if path.suffix == ".dcm":
        dataset = pydicom.dcmread(path)
        return dataset.pixel_array if "PixelData" in dataset else dataset
    page = path.read_text()
    assert page.rstrip().endswith("</html>"), path
    return page


def said(folder: SeriesFolder) -> dict[str, Any]:
    """What every file of a series says: its bytes, apart from how long things took.

    Not its page, which also shows how long things took, and where the series lies among those that were done before.
    """
    return {
        path.relative_to(folder.path).as_posix(): _without_times(path)
        for path in visible(folder.path)
        if path not in {folder.completion, folder.qc_page}
    }


def _without_times(path: Path) -> Any:
    content = path.read_bytes()
    if path.suffix != ".json" or b"NaN" in content:
        return content
    return _pruned(json.loads(content))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(part) for key, part in value.items() if key not in _TIMES}
    return value
