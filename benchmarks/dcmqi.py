"""Peer of the DICOM benchmark: dcmqi's writers, called with the metadata that the published pipeline gave them."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom

from ct_assets.dicom.codes import Code, feature_codes, organ_codes
from ct_assets.dicom.series import CtSeries

_ALGORITHM = "3d_fullres-tta_nnU-Net"
_PYRADIOMICS = {"AlgorithmName": "pyradiomics", "AlgorithmVersion": "3.0.1"}


def version() -> str:
    """Return the version of dcmqi."""
    return distribution("dcmqi").version


def program(tool: str) -> Path:
    """Return the executable itself; the command of that name starts a Python first, which would count against dcmqi."""
    for file in distribution("dcmqi").files or ():
        if file.parent.name == "bin" and file.stem == tool:
            return Path(str(file.locate()))
    sys.exit(f"{tool} is missing; install the development dependencies (dcmqi)")


def cpu_seconds(tool: str, *arguments: object) -> float:
    """Run a program and return its CPU seconds, user and system."""
    with subprocess.Popen(
        [program(tool), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{tool} ended with exit code {process.returncode}: {said}")
    return usage.ru_utime + usage.ru_stime


def seg_arguments(nrrd: Path, ct_folder: Path, metadata: Path, target: Path) -> list[object]:
    """Return the arguments for a SEG without empty frames."""
    return [
        "--inputImageList", nrrd, "--inputDICOMDirectory", ct_folder, "--inputMetadata", metadata,
        "--outputDICOM", target, "--skip", 1,
    ]  # fmt: skip


def sr_arguments(ct_folder: Path, seg: Path, metadata: Path, target: Path) -> list[object]:
    """Return the arguments for the report of the features."""
    return [
        "--inputImageLibraryDirectory", ct_folder, "--inputCompositeContextDirectory", seg.parent,
        "--inputMetadata", metadata, "--outputDICOM", target,
    ]  # fmt: skip


def write_seg_metadata(path: Path) -> Path:
    """Write what dcmqi is to say of the segments."""
    segments = [
        {
            "labelID": organ.label,
            "SegmentAlgorithmType": "AUTOMATIC",
            "SegmentAlgorithmName": _ALGORITHM,
            "SegmentedPropertyCategoryCodeSequence": _coded("123037004", "SCT", "Anatomical Structure"),
            "SegmentedPropertyTypeCodeSequence": _code(organ.site),
            "recommendedDisplayRGBValue": list(organ.rgb),
        }
        for organ in organ_codes().values()
    ]
    return _write(
        path,
        {
            "ContentCreatorName": "IDC",
            "ClinicalTrialSeriesID": "0",
            "ClinicalTrialTimePointID": "1",
            "ClinicalTrialCoordinatingCenterName": "dcmqi",
            "SeriesDescription": f"{_ALGORITHM}_Segmentation",
            "SeriesNumber": "42",
            "InstanceNumber": "1",
            "BodyPartExamined": "CHEST",
            "ContentLabel": "SEGMENTATION",
            "ContentDescription": "Image segmentation",
            "segmentAttributes": [segments],
        },
    )


def write_sr_metadata(path: Path, features: pd.DataFrame, seg: Path, series: CtSeries) -> Path:
    """Write the features as dcmqi takes them, rounded to three decimals as in the published reports."""
    seg_uid = str(pydicom.dcmread(seg, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    groups = [
        {
            "TrackingIdentifier": f"Measurements group {label}",
            "ReferencedSegment": int(str(label)),
            "SourceSeriesForImageSegmentation": series.series_instance_uid,
            "segmentationSOPInstanceUID": seg_uid,
            "Finding": _code(organ_codes()[int(str(label))].finding),
            "FindingSite": _code(organ_codes()[int(str(label))].site),
            "measurementItems": [
                {
                    "value": f"{value:.3f}",
                    "quantity": _code(feature_codes()[feature].quantity),
                    "units": _code(feature_codes()[feature].unit),
                    "measurementAlgorithmIdentification": _PYRADIOMICS,
                }
                for feature, value in rows[["feature", "value"]].itertuples(index=False)
            ],
        }
        for label, rows in features.groupby("label")
    ]
    return _write(
        path,
        {
            "SeriesDescription": f"{_ALGORITHM}_Measurements",
            "SeriesNumber": "1001",
            "InstanceNumber": "1",
            "compositeContext": [seg.name],
            "imageLibrary": [instance.path.name for instance in series.instances],
            "observerContext": {
                "ObserverType": "DEVICE",
                "DeviceObserverName": "pyradiomics",
                "DeviceObserverModelName": "3.0.1",
            },
            "VerificationFlag": "UNVERIFIED",
            "CompletionFlag": "COMPLETE",
            "activitySession": "1",
            "timePoint": "1",
            "Measurements": groups,
        },
    )


def _code(code: Code) -> dict[str, str]:
    return _coded(code.value, code.scheme, code.meaning)


def _coded(value: str, scheme: str, meaning: str) -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def _write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content, indent=1))
    return path
