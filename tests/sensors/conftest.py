"""A collection of one's own in a temporary folder."""

import pytest

from ct_assets.collection import Collection
from ct_assets.partitions import Scope


@pytest.fixture
def scope(tmp_path) -> Scope:
    return Scope(
        Collection.model_validate(
            {
                "name": "mine",
                "title": "Mine",
                "demonstration": True,
                "source": {"kind": "folder", "path": str(tmp_path / "dicom")},
                "organ_segmentation": {"model": "demo"},
                "body_part_regression": {"model": "demo"},
                "schedule": {"batch": 2},
            }
        )
    )
