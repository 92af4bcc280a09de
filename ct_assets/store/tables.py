"""The Parquet tables of the store, with what their columns mean."""

import pyarrow as pa

from ct_assets.store.table import Table

_TEXT = pa.string()
_REAL = pa.float64()
_WHOLE = pa.int64()
_CODE = pa.struct({"CodeValue": _TEXT, "CodingSchemeDesignator": _TEXT, "CodeMeaning": _TEXT})

_SERIES = {"collection": _TEXT, "PatientID": _TEXT, "StudyInstanceUID": _TEXT, "SeriesInstanceUID": _TEXT}

INSTANCES = Table(
    "instances",
    3,
    {
        "PatientID": _TEXT,
        "StudyInstanceUID": _TEXT,
        "SeriesInstanceUID": _TEXT,
        "SOPInstanceUID": _TEXT,
        "SOPClassUID": _TEXT,
        "Modality": _TEXT,
        "SeriesDescription": _TEXT,
        "ImageType": pa.list_(_TEXT),
        "ImagePositionPatient": pa.list_(_TEXT),
        "ImageOrientationPatient": pa.list_(_TEXT),
        "PixelSpacing": pa.list_(_TEXT),
        "SliceThickness": _TEXT,
        "Rows": _WHOLE,
        "Columns": _WHOLE,
        "NumberOfFrames": _WHOLE,
        "FrameOfReferenceUID": _TEXT,
        "ReferencedSeriesInstanceUID": pa.list_(_TEXT),
        "instance_size": _WHOLE,
        "file": _TEXT,
        "file_mtime_ns": _WHOLE,
        "problem": _TEXT,
        "copy_of": _TEXT,
    },
)
"""Header index, one row per file. Columns and types are those of IDC's `dicom_all`, decimal strings as they are
written, `instance_size` in bytes. `ReferencedSeriesInstanceUID`: the series that a SEG or RTSTRUCT refers to. Then
`file` (relative to the source) with its modification time; for a file that
cannot be used, the `problem`; for a further copy of an instance, the file it is a `copy_of`."""

COHORT = Table(
    "cohort",
    2,
    {
        **_SERIES,
        "SeriesDescription": _TEXT,
        "Modality": _TEXT,
        "instances": _WHOLE,
        "slice_spacing_mm": _REAL,
        "slice_thickness_mm": _REAL,
        "selected": pa.bool_(),
        "decided": pa.bool_(),
        "failed_criteria": pa.list_(_TEXT),
        "not_evaluated": pa.list_(_TEXT),
        "reason": _TEXT,
        "expert_files": pa.list_(_TEXT),
        "series_size": _WHOLE,
    },
)
"""One row per series: whether it is selected, every criterion it failed or that could not be evaluated, the reasons in
words. `decided`: on the headers of its images; a selected series that is not is preselected on series metadata and
decided after download. `expert_files`: files, or folders of files, of expert segmentations, relative to the source.
`series_size` in bytes."""

REMOTE_SERIES = Table(
    "remote_series",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "Modality": _TEXT,
        "crdc_series_uuid": _TEXT,
        "url": _TEXT,
        "instances": _WHOLE,
        "series_size": _WHOLE,
    },
)
"""Where the files of the selected series, and of the expert segmentations of them, are in a public bucket: one row per
series. `url`: folder of its objects; `series_size` in bytes."""

SELECTION_FLOW = Table(
    "selection_flow",
    2,
    {
        "step": _WHOLE,
        "criterion": _TEXT,
        "description": _TEXT,
        "series_left": _WHOLE,
        "failed": _WHOLE,
        "not_evaluated": _WHOLE,
    },
)
"""Series left after each criterion, in order (paper, figure S1): those that failed none so far. `failed` and
`not_evaluated`: of all series, those that fail this criterion, and those of which it could not be evaluated."""

CHARACTERISTICS = Table("characteristics", 1, {"characteristic": _TEXT, "before": _WHOLE, "after": _WHOLE})
"""Patients, studies and series before and after the selection (paper, table 1), and instances and bytes."""

LANDMARKS = Table(
    "landmarks",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "landmark": _TEXT,
        "code": _TEXT,
        "score": _REAL,
        "located": pa.bool_(),
        "position_mm": _REAL,
        "slice_index": _WHOLE,
        "SOPInstanceUID": _TEXT,
        "reason": _TEXT,
    },
    "bpr_json",
)
"""One row per landmark. `position_mm`: interpolated position along the slice normal, in the patient's frame;
`slice_index`: nearest slice of ct.nii.gz; `score`: the look-up value searched for; `reason`: why not located."""

REGIONS = Table(
    "regions",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "region": _TEXT,
        "code": _TEXT,
        "first_slice": _WHOLE,
        "last_slice": _WHOLE,
        "slices": _WHOLE,
        "ratio": _REAL,
    },
    "bpr_json",
)
"""One row per region that has slices. `ratio`: its slices divided by the slices that have any region."""

SHAPE_FEATURES = Table(
    "shape_features",
    3,
    {
        "SeriesInstanceUID": _TEXT,
        "model": _TEXT,
        "label": _WHOLE,
        "organ": _TEXT,
        "feature": _TEXT,
        "value": _REAL,
        "unit": _TEXT,
        "code": _TEXT,
        "components": _WHOLE,
        "at_border": pa.list_(_TEXT),
        "reason": _TEXT,
        "segmentation": _TEXT,
        "weights_digest": _TEXT,
        "software": _TEXT,
    },
    "shape_features",
)
"""One row per model, organ and feature, in full precision. `value` is null with a `reason` where the organ cannot be
measured. `code`: IBSI; `unit`: UCUM; `components`: separate parts of the organ; `at_border`: sides of the image that it
touches (left, right, posterior, anterior, inferior, superior), where it may be cut off; `segmentation`: what was
measured, the SHA-256 of the label map or of the expert's SEG or RTSTRUCT; `software`: what measured it."""

MEASUREMENT_GROUPS = Table(
    "measurement_groups",
    1,
    {
        "SOPInstanceUID": _TEXT,
        "SeriesInstanceUID": _TEXT,
        "PatientID": _TEXT,
        "SeriesDescription": _TEXT,
        "measurementGroup_number": _WHOLE,
        "trackingIdentifier": _TEXT,
        "trackingUniqueIdentifier": _TEXT,
        "finding": _CODE,
        "sourceSegmentedSeriesUID": _TEXT,
        "segmentationInstanceUID": _TEXT,
        "segmentationSegmentNumber": _WHOLE,
        "contentSequence": _TEXT,
    },
    "dicom_sr",
)
"""One row per measurement group of an SR; UIDs without a prefix are the SR's. Columns of this table and the next two
are those of the published queries, in types that BigQuery loads from Parquet as they are. `measurementGroup_number`:
offset among the items of Imaging Measurements; `contentSequence`: its content items as DICOM JSON text."""

QUANTITATIVE_MEASUREMENTS = Table(
    "quantitative_measurements",
    1,
    {
        "PatientID": _TEXT,
        "SOPInstanceUID": _TEXT,
        "SeriesDescription": _TEXT,
        "measurementGroup_number": _WHOLE,
        "segmentationInstanceUID": _TEXT,
        "segmentationSegmentNumber": _WHOLE,
        "sourceSegmentedSeriesUID": _TEXT,
        "trackingIdentifier": _TEXT,
        "Quantity": _CODE,
        "Value": _REAL,
        "Units": _CODE,
        "finding": _CODE,
        "findingSite": _CODE,
    },
    "dicom_sr",
)
"""One row per number in a measurement group. `Value`: the FloatingPointValue where the SR has one, otherwise the number
nearest to its decimal string, whose digits (15 beside sign and point) it gives back; null where nothing was measured.
It is FLOAT64 in BigQuery. The published table has NUMERIC, which would round after nine decimals."""

QUALITATIVE_MEASUREMENTS = Table(
    "qualitative_measurements",
    1,
    {
        "PatientID": _TEXT,
        "SeriesInstanceUID": _TEXT,
        "SOPInstanceUID": _TEXT,
        "SeriesDescription": _TEXT,
        "measurementGroup_number": _WHOLE,
        "trackingIdentifier": _TEXT,
        "trackingUniqueIdentifier": _TEXT,
        "ConceptNameCodeSequence": _CODE,
        "ConceptCodeSequence": _CODE,
        "topographical_modifier": _CODE,
        "ReferencedSOPInstanceUID": _TEXT,
        "ReferencedSeriesInstanceUID": _TEXT,
        "ReferencedStudyInstanceUID": _TEXT,
    },
    "dicom_sr",
)
"""One row per coded statement in a measurement group, such as the landmarks and regions of a slice. The instance that
it refers to has its series and study from the evidence of the SR."""

QC = Table(
    "qc",
    2,
    {
        **_SERIES,
        "rule": _TEXT,
        "model": _TEXT,
        "subject": _TEXT,
        "metric": _TEXT,
        "value": _REAL,
        "unit": _TEXT,
        "lower": _REAL,
        "upper": _REAL,
        "limits_from": _TEXT,
        "outcome": _TEXT,
        "explanation": _TEXT,
    },
    "qc_report",
)
"""One row per metric. `subject`: organ, landmark, region or object; `outcome`: pass, fail, not evaluated or not
measurable, or empty where there is a value and no rule; `lower`/`upper`: limits in force, both allowed values;
`limits_from`: the collection, its cohort, or the published reference."""

DISTRIBUTIONS = Table(
    "distributions",
    1,
    {
        "metric": _TEXT,
        "subject": _TEXT,
        "model": _TEXT,
        "unit": _TEXT,
        "n": _WHOLE,
        "minimum": _REAL,
        "p05": _REAL,
        "q1": _REAL,
        "median": _REAL,
        "q3": _REAL,
        "p95": _REAL,
        "maximum": _REAL,
    },
    "cohort_report",
)
"""How each metric of the QC table and each shape feature is distributed over the series of a cohort."""

SR_VALIDATION = Table(
    "sr_validation",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "file": _TEXT,
        "SOPInstanceUID": _TEXT,
        "sha256": _TEXT,
        "validator": _TEXT,
        "outcome": _TEXT,
        "messages": pa.list_(_TEXT),
    },
    "sr_validation",
)
"""One row per report that DicomSRValidator was given. `SeriesInstanceUID` is that of the CT, `file` is relative to the
series folder, `sha256` its digest; `validator`: name and digest of its library; `outcome`: accepted, rejected or not
installed."""
