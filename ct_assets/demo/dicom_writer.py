"""Write a volume as a series of CT Image Storage instances, one file per slice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

IMPLEMENTATION_UID = generate_uid(entropy_srcs=["ct-assets demo", "implementation"])
"""Implementation class UID of the files that the demo collection consists of."""

_FIRST_DAY = date(2020, 3, 2)


@dataclass(frozen=True)
class Identity:
    """Who and what a series belongs to; all UIDs and dates derive from it."""

    patient_id: str
    number: int
    """Number of the patient in the collection, from 1."""
    seed: int
    """Seed of the collection."""

    def uid(self, *parts: object) -> str:
        """Derive a UID from the identity and the given parts."""
        return generate_uid(entropy_srcs=["ct-assets demo", str(self.seed), self.patient_id, *map(str, parts)])

    @property
    def day(self) -> str:
        """Date of the study, YYYYMMDD."""
        return (_FIRST_DAY + timedelta(days=7 * self.number)).strftime("%Y%m%d")


@dataclass(frozen=True)
class Plane:
    """One image with its place in the DICOM patient frame."""

    hu: NDArray[np.int16]
    """CT numbers (rows, columns) in HU, -1024 to 3071."""
    position: tuple[float, float, float]
    """Centre of the first pixel in mm."""
    orientation: tuple[float, float, float, float, float, float]
    """Direction of the rows, then of the columns."""
    spacing: tuple[float, float]
    """Distance between rows and between columns in mm."""
    thickness: float
    """Slice thickness in mm."""
    image_type: str = "AXIAL"
    """Third value of Image Type."""
    tilt: float = 0.0
    """Gantry tilt in degrees."""


def write_series(
    folder: Path, identity: Identity, planes: list[Plane], *, description: str, numbers: list[int] | None = None
) -> list[Path]:
    """Write planes as IM0001.dcm, IM0002.dcm, ... in the given order.

    Parameters
    ----------
    folder
        Where to write; made if it does not exist.
    identity
        Patient and collection; the same identity and planes give the same bytes.
    planes
        The images.
    description
        Series Description.
    numbers
        Instance Number of every plane; 1, 2, 3, ... by default.

    Returns
    -------
    list of Path
        The files, in the order of the planes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for count, dataset in enumerate(ct_instances(identity, planes, description=description, numbers=numbers), start=1):
        path = folder / f"IM{count:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def ct_instances(
    identity: Identity, planes: list[Plane], *, description: str, numbers: list[int] | None = None
) -> Iterator[Dataset]:
    """Make the instances that `write_series` writes; same parameters, yields one dataset per plane."""
    for plane, number in zip(planes, numbers or range(1, len(planes) + 1), strict=True):
        dataset = _series_header(identity, description)
        _describe_plane(dataset, plane)
        dataset.SOPInstanceUID = identity.uid("instance", number)
        dataset.InstanceNumber = number
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = IMPLEMENTATION_UID
        dataset.file_meta = meta
        yield dataset


def _series_header(identity: Identity, description: str) -> Dataset:
    """Give the attributes that all instances of a series share."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientName = f"Phantom^{identity.patient_id}"
    dataset.PatientID = identity.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = identity.uid("study")
    dataset.StudyID = str(identity.number)
    dataset.StudyDescription = "Phantom chest"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesInstanceUID = identity.uid("series")
    dataset.SeriesNumber = 2
    dataset.SeriesDescription = description
    dataset.Modality = "CT"
    dataset.BodyPartExamined = "CHEST"
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = identity.uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    for kind, time in (("Study", "100000"), ("Series", "100100"), ("Acquisition", "100130"), ("Content", "100200")):
        setattr(dataset, f"{kind}Date", identity.day)
        setattr(dataset, f"{kind}Time", time)
    dataset.Manufacturer = "ct-assets"
    dataset.ManufacturerModelName = "Phantom"
    dataset.SoftwareVersions = "1"
    dataset.DeviceSerialNumber = "1"
    dataset.AcquisitionNumber = 1
    dataset.KVP = 120
    dataset.ConvolutionKernel = "STANDARD"
    return dataset


def _describe_plane(dataset: Dataset, plane: Plane) -> None:
    """Add one image's geometry and pixels."""
    rows, columns = plane.hu.shape
    dataset.ImageType = ["ORIGINAL", "PRIMARY", plane.image_type]
    dataset.SliceThickness = _decimal(plane.thickness)
    dataset.GantryDetectorTilt = _decimal(plane.tilt)
    dataset.ImagePositionPatient = [_decimal(v) for v in plane.position]
    dataset.ImageOrientationPatient = [_decimal(v) for v in plane.orientation]
    dataset.PixelSpacing = [_decimal(v) for v in plane.spacing]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    if plane.image_type != "LOCALIZER":
        dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dataset.LossyImageCompression = "00"
    stored = np.clip(plane.hu.astype(np.int32) + 1024, 0, 4095).astype("<u2")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def _decimal(value: float) -> str:
    """Format a Decimal String of at most 16 characters."""
    return f"{round(float(value), 6) + 0.0:.6f}".rstrip("0").rstrip(".")
