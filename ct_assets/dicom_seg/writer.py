"""Label map to DICOM SEG: four described segments, SegmentNumber equal to label, frames tied to their instances."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.dicom.authorship import (
    MANUFACTURER,
    algorithm_name,
    algorithm_parameters,
    algorithm_version,
    contributing_equipment,
    segment_algorithm_name,
    series_number,
    software_versions,
    with_notice,
)
from ct_assets.dicom.codes import OrganCode, organ_codes
from ct_assets.dicom.edition import Edition, content_digest
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.source import finish, set_value, source_headers
from ct_assets.dicom.written import PlannedObject
from ct_assets.organ_seg.record import LabelMapRecord, read_label_map
from ct_assets.provenance import Provenance
from ct_assets.store.digest import json_digest
from ct_assets.store.paths import SeriesFolder

SERIES_NUMBER = 42
"""SeriesNumber of the published SEGs; other configurations follow it."""

_CATEGORY = Code("123037004", "SCT", "Anatomical Structure")
_NO_SEPARATORS = str.maketrans(",=", "; ")


def plan_segs(series: Callable[[], CtSeries], folder: SeriesFolder, collection: Collection) -> list[PlannedObject]:
    """Plan the SEGs of a series, one per model.

    Parameters
    ----------
    series : callable
        Gives the CT series, when a SEG is written.
    folder : SeriesFolder
        The series; its label maps are there.
    collection : Collection
        Its models, and whether SEGs are deflated.

    Raises
    ------
    FileNotFoundError, RecordError, StaleLabelMapError
        If a label map has not been made, or not from the CT as it is now.
    """
    record = read_ct_record(folder.ct_record)
    return [
        plan_seg(series, record, *read_label_map(folder, model), folder.seg(model), deflate=collection.deflate)
        for model in collection.models
    ]


def plan_seg(
    series: Callable[[], CtSeries],
    record: CtRecord,
    labels: npt.NDArray[np.uint8],
    seg_record: LabelMapRecord,
    target: Path,
    *,
    deflate: bool = False,
) -> PlannedObject:
    """Plan a label map as a BINARY DICOM SEG, empty frames omitted; equal input gives equal bytes.

    All four organs are described, with SegmentNumber equal to label; an absent organ has no frame. Without any organ
    there is no SEG.

    Parameters
    ----------
    series : callable
        Gives the source series, when the SEG is written.
    record : CtRecord
        ct.json of the series; says which slice is which instance.
    labels : ndarray of uint8, shape (columns, rows, slices)
        Labels on the grid of ct.nii.gz.
    seg_record : LabelMapRecord
        Which model made the label map, and how.
    target : Path
        File to write.
    deflate : bool, default False
        Write Deflated Explicit VR Little Endian.

    Returns
    -------
    PlannedObject
        Writing it raises InconsistentSeriesError if the series lacks instances that ct.json names.

    Raises
    ------
    ValueError
        If the label map has another shape than the CT, a label that is no organ, or another series' record.
    """
    _check(record, labels, seg_record)
    frames = np.ascontiguousarray(record.to_dicom(labels))
    provenance = seg_record.provenance
    return PlannedObject(
        role="seg",
        name=provenance.configuration,
        target=target,
        content=content_digest(
            record.source_digest,
            provenance,
            hashlib.sha256(frames.data).hexdigest(),
            json_digest([record.spacing_mm, deflate]),
        ),
        software=software_versions(provenance.software),
        build=lambda edition: _build(series(), record, frames, provenance, edition),
        deflate=deflate,
        absent=None if frames.any() else "the label map holds no organ",
    )


def _build(
    series: CtSeries, record: CtRecord, frames: npt.NDArray[np.uint8], provenance: Provenance, edition: Edition
) -> Segmentation:
    headers = source_headers(series, [entry.sop_instance_uid for entry in record.slices])
    _state_slice_spacing(headers, record)
    segmentation = Segmentation(
        source_images=headers,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(organ, provenance) for organ in organ_codes().values()],
        series_instance_uid=edition.series_instance_uid,
        series_number=series_number(SERIES_NUMBER, provenance),
        sop_instance_uid=edition.sop_instance_uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=algorithm_name(provenance),
        software_versions=list(edition.software),  # type: ignore[arg-type]  # its hint forgets lists
        device_serial_number=provenance.weights_digest[:16],
        content_description=provenance.notice or "Image segmentation",
        content_label="SEGMENTATION",
        series_description=with_notice(f"{algorithm_name(provenance)}_Segmentation", provenance),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=True,
        contributing_equipment=contributing_equipment(provenance, "Neural network that segmented the organs"),
    )
    segmentation.BodyPartExamined = "CHEST"
    finish(segmentation, series)
    _organize(segmentation, edition.uid("dimensions"))
    return segmentation


def _check(record: CtRecord, labels: npt.NDArray[np.uint8], seg_record: LabelMapRecord) -> None:
    if seg_record.series_instance_uid != record.series_instance_uid:
        message = f"label map of series {seg_record.series_instance_uid} given for series {record.series_instance_uid}"
        raise ValueError(message)
    if labels.dtype != np.uint8 or labels.shape != record.shape:
        message = f"label map is {labels.dtype} {labels.shape}, ct.nii.gz has uint8 {record.shape}"
        raise ValueError(message)
    largest = int(labels.max(initial=0))
    if largest > max(organ_codes()):
        message = f"label {largest} is no organ; the organs are 1 to {max(organ_codes())}"
        raise ValueError(message)


def _state_slice_spacing(headers: Sequence[pydicom.Dataset], record: CtRecord) -> None:
    """Give readers the measured spacing, from which they rebuild the slices whose empty frames are omitted."""
    assert record.spacing_mm is not None
    spacing = DSfloat(record.spacing_mm[2], auto_format=True)
    for header in headers:
        set_value(header, "SpacingBetweenSlices", spacing)
        if not header.get("SliceThickness"):
            set_value(header, "SliceThickness", spacing)


def _described(organ: OrganCode, provenance: Provenance) -> SegmentDescription:
    parameters = algorithm_parameters(provenance)
    description = SegmentDescription(
        segment_number=organ.label,
        segment_label=organ.site.meaning,
        segmented_property_category=_CATEGORY,
        segmented_property_type=Code(organ.site.value, organ.site.scheme, organ.site.meaning),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=segment_algorithm_name(provenance),
            family=codes.cid7162.ArtificialIntelligence,
            version=algorithm_version(provenance),
            source=MANUFACTURER,
            # readers split this text at commas and equal signs
            parameters={key: value.translate(_NO_SEPARATORS) for key, value in parameters.items()},
        ),
        display_color=CIELabColor.from_rgb(*organ.rgb),
    )
    if provenance.notice:
        description.SegmentDescription = f"{organ.site.meaning}: {provenance.notice}"
    return description


def _organize(segmentation: Segmentation, dimension_organization_uid: str) -> None:
    """Replace the random UID that highdicom gives to the dimension organization."""
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimension_organization_uid
