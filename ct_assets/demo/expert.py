"""The expert segmentation of a phantom as a DICOM SEG: heart, esophagus and both lungs, from its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.sr.coding import Code

from ct_assets.demo.organs import ESOPHAGUS, HEART

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from ct_assets.demo.dicom_writer import Identity
    from ct_assets.demo.phantom import Phantom

_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_SEGMENTS = (
    ("Heart", Code("80891009", "SCT", "Heart")),
    ("Esophagus", Code("32849002", "SCT", "Esophagus")),
    ("Lung-Left", Code("44029006", "SCT", "Left lung")),
    ("Lung-Right", Code("3341006", "SCT", "Right lung")),
)

SEGMENT_LABELS: tuple[str, ...] = tuple(label for label, _ in _SEGMENTS)
"""Segment Label of segments 1 to 4."""


def expert_masks(phantom: Phantom, *, shift: float = 0.0) -> NDArray[np.bool_]:
    """Give the masks an expert would have drawn.

    Parameters
    ----------
    phantom
        The patient.
    shift
        Distance in mm by which all masks are moved to the patient's left and back each,
        for an expert who is wrong on purpose.

    Returns
    -------
    array of bool, shape (slices, rows, columns, 4)
        In the order of `SEGMENT_LABELS`.
    """
    masks = np.stack(
        [phantom.labels == HEART, phantom.labels == ESOPHAGUS, phantom.lungs == 2, phantom.lungs == 1], axis=-1
    )
    steps = [round(shift / phantom.spacing[axis]) for axis in (1, 2)]
    if any(steps):
        # the field of view has room around the organs, so nothing wraps
        masks = np.roll(masks, steps, axis=(1, 2))
    return np.asarray(masks)


def write_expert(path: Path, identity: Identity, sources: list[Dataset], masks: NDArray[np.bool_]) -> Path:
    """Write masks as a BINARY segmentation.

    Parameters
    ----------
    path
        The file to write; its folder is made.
    identity
        Patient and collection; the same input gives the same bytes.
    sources
        The CT instances, one per slice of the masks and in their order.
    masks
        Shape (slices, rows, columns, segments), bool.

    Returns
    -------
    Path
        The file written.
    """
    import highdicom

    descriptions = [
        highdicom.seg.SegmentDescription(number, label, _ANATOMY, code, "MANUAL")
        for number, (label, code) in enumerate(_SEGMENTS, start=1)
    ]
    seg = highdicom.seg.Segmentation(
        sources,
        masks,
        "BINARY",
        descriptions,
        series_instance_uid=identity.uid("expert", "series"),
        series_number=3,
        sop_instance_uid=identity.uid("expert", "instance"),
        instance_number=1,
        manufacturer="ct-assets",
        manufacturer_model_name="Phantom",
        software_versions="1",
        device_serial_number="1",
        content_label="SEGMENTATION",
        content_description="Expert segmentation",
        content_creator_name="Expert^Phantom",
        series_description="Segmentation",
    )
    _fix_dates_and_uids(seg, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    seg.save_as(path)
    return path


def _fix_dates_and_uids(seg: Dataset, identity: Identity) -> None:
    """Replace what highdicom takes from the clock and from chance."""
    for kind, time in (("Series", "120000"), ("Content", "120000"), ("InstanceCreation", "120000")):
        setattr(seg, f"{kind}Date", identity.day)
        setattr(seg, f"{kind}Time", time)
    seg.DimensionOrganizationSequence[0].DimensionOrganizationUID = identity.uid("expert", "dimensions")
    for item in seg.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = f"{identity.day}120000"
    for item in seg.DimensionIndexSequence:
        item.DimensionOrganizationUID = identity.uid("expert", "dimensions")
