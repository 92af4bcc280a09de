"""A folder of CT files of real size: 512 x 512 pixels, about a hundred elements, sequences and private elements."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ct_assets.dicom.series import CT_IMAGE_STORAGE

_SLICES = 250
_PIXEL_MM = 0.664062
_TEXT = {
    "SpecificCharacterSet": "ISO_IR 100", "StudyDate": "20040102", "SeriesDate": "20040102",
    "AcquisitionDate": "20040102", "ContentDate": "20040102", "StudyTime": "101500", "SeriesTime": "101533.125",
    "AcquisitionTime": "101540.5", "ContentTime": "101541", "AccessionNumber": "2819497684894126", "Modality": "CT",
    "Manufacturer": "GE MEDICAL SYSTEMS", "InstitutionName": "Removed", "ReferringPhysicianName": "",
    "StationName": "CT01", "StudyDescription": "CT CHEST SCREENING", "SeriesDescription": "2,OPA,GE,LS16,STANDARD",
    "ManufacturerModelName": "LightSpeed16", "PatientName": "Anonymous^P", "PatientID": "100012",
    "PatientBirthDate": "", "PatientSex": "F", "PatientAge": "062Y", "PatientWeight": "71", "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL MODE", "SliceThickness": "2.500000", "KVP": "120", "DataCollectionDiameter": "500.000000",
    "DeviceSerialNumber": "0000", "SoftwareVersions": "07MW18.4", "ProtocolName": "5.1 SCREENING CHEST",
    "ReconstructionDiameter": "340.000000", "DistanceSourceToDetector": "949.075012",
    "DistanceSourceToPatient": "541.000000", "GantryDetectorTilt": "0.000000", "TableHeight": "144.399994",
    "RotationDirection": "CW", "ExposureTime": "570", "XRayTubeCurrent": "80", "Exposure": "1536",
    "FilterType": "BODY FILTER", "GeneratorPower": "9600", "FocalSpots": "0.700000", "ConvolutionKernel": "STANDARD",
    "PatientPosition": "FFS", "RevolutionTime": 0.5, "SingleCollimationWidth": 1.25, "TotalCollimationWidth": 20.0,
    "TableSpeed": 55.0, "TableFeedPerRotation": 27.5, "SpiralPitchFactor": 1.375, "StudyID": "1", "SeriesNumber": "2",
    "AcquisitionNumber": "1", "PositionReferenceIndicator": "SN", "SliceLocation": "-20.25", "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2", "Rows": 512, "Columns": 512, "BitsAllocated": 16, "BitsStored": 16,
    "HighBit": 15, "PixelRepresentation": 1, "SmallestImagePixelValue": 0, "LargestImagePixelValue": 3000,
    "PixelPaddingValue": -2000, "LongitudinalTemporalInformationModified": "MODIFIED", "PatientIdentityRemoved": "YES",
    "WindowCenter": "40", "WindowWidth": "400", "RescaleIntercept": "-1024", "RescaleSlope": "1", "RescaleType": "HU",
    "RequestingService": "Removed", "PerformedProcedureStepStartDate": "20040102", "LossyImageCompression": "00",
}  # fmt: skip


def write_ct_files(folder: Path, count: int, slices: int = _SLICES, pixel_mm: float = _PIXEL_MM) -> None:
    """Write CT files, half of the series with explicit and half with implicit value representations.

    Parameters
    ----------
    folder : Path
        Where to.
    count : int
        Files.
    slices : int
        Slices of each series, 2.5 mm apart.
    pixel_mm : float
        Distance between pixels in mm.
    """
    pixels = np.random.default_rng(1).integers(-1000, 1500, (512, 512), dtype=np.int16).tobytes()
    for number in range(count):
        series, place = divmod(number, slices)
        path = folder / f"series_{series:04d}" / f"{place:05d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        _image(series, place, pixels, pixel_mm).save_as(path, enforce_file_format=True)


def _image(series: int, place: int, pixels: bytes, pixel_mm: float) -> Dataset:
    uid = f"1.2.826.0.1.3680043.8.498.1234567890.{series}"
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if series % 2 else ExplicitVRLittleEndian
    for keyword, value in _TEXT.items():
        setattr(image, keyword, value)
    image.SOPClassUID, image.SOPInstanceUID = CT_IMAGE_STORAGE, f"{uid}.{place}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = f"{uid}.1", uid, f"{uid}.2"
    image.ImageType, image.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], place + 1
    image.ImagePositionPatient, image.PixelSpacing = (
        ["-170.0", "-170.0", f"{2.5 * place:.6f}"],
        [f"{pixel_mm:.6f}"] * 2,
    )
    image.ImageOrientationPatient = ["1.000000", "0.000000", "0.000000", "0.000000", "1.000000", "0.000000"]
    image.ReferencedStudySequence = Sequence([_reference(uid)])
    image.RequestAttributesSequence = Sequence([_reference(uid)])
    for sequence in ("ReferencedStudySequence", "RequestAttributesSequence"):
        image[sequence].is_undefined_length = place % 2 == 0
    private = image.private_block(0x0009, "GEMS_IDEN_01", create=True)
    for offset in range(12):
        private.add_new(offset, "LO", f"value {offset}")
    image.PixelData = pixels
    return image


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", uid
    return item


def pydicom_loop(folder: Path) -> int:
    """Read all headers as a script would; return how many.

    Parameters
    ----------
    folder : Path
        What `write_ct_files` filled.
    """
    return sum(1 for path in sorted(folder.rglob("*.dcm")) if pydicom.dcmread(path, stop_before_pixels=True))
