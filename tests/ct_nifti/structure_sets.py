"""RTSTRUCTs for tests: drawn by formula and written by pydicom, or made from label maps by plastimatch."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.structure_set import RT_STRUCTURE_SET_STORAGE
from ct_assets.dicom.series import CT_IMAGE_STORAGE
from tests.dicom_seg.examples import Example

Array = npt.NDArray[np.float64]
Change = Callable[[pydicom.Dataset], None]


class Frames:
    """The frames of a series by its DICOM headers alone, in the order of ``record.slices``."""

    def __init__(self, example: Example) -> None:
        headers = {str(one.header.SOPInstanceUID): one.header for one in example.series.instances}
        self.headers = [headers[entry.sop_instance_uid] for entry in example.record.slices]
        first = self.headers[0]
        self.shape = (int(first.Rows), int(first.Columns))
        cosines = np.asarray(first.ImageOrientationPatient, dtype=float)
        self.row_spacing, self.column_spacing = (float(value) for value in first.PixelSpacing)
        self.along_row, self.along_column = cosines[:3], cosines[3:]
        self.normal = np.cross(self.along_row, self.along_column)
        self.origins = np.asarray([header.ImagePositionPatient for header in self.headers], dtype=float)

    def points(self, index: int, places: npt.ArrayLike) -> Array:
        """Patient coordinates of rows and columns of a frame, shape (points, 3)."""
        rows, columns = np.asarray(places, dtype=float).T
        down = np.outer(rows * self.row_spacing, self.along_column)
        right = np.outer(columns * self.column_spacing, self.along_row)
        return np.asarray(self.origins[index] + down + right)

    def circle(self, index: int, radius_mm: float, at: tuple[float, float] = (0, 0), points: int = 720) -> Array:
        """A circle on a frame, about its middle pixel moved by millimetres down and to the right."""
        angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
        right, down = radius_mm * np.cos(angles) + at[1], radius_mm * np.sin(angles) + at[0]
        return self.middle(index) + np.outer(down, self.along_column) + np.outer(right, self.along_row)

    def middle(self, index: int) -> Array:
        """Patient coordinates of the middle pixel of a frame."""
        return self.points(index, [(self.shape[0] // 2, self.shape[1] // 2)])[0]

    def distances(self, index: int, at: tuple[float, float] = (0, 0)) -> Array:
        """Distance of each pixel centre of a frame from the centre of `circle`, mm, shape (rows, columns)."""
        centre = self.middle(index) + at[0] * self.along_column + at[1] * self.along_row
        places = np.indices(self.shape).reshape(2, -1).T
        return np.asarray(np.linalg.norm(self.points(index, places) - centre, axis=1).reshape(self.shape))

    def image(self, frames: npt.NDArray[np.uint8]) -> SimpleITK.Image:
        """Return frames as an image at their place."""
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(frames))
        step = self.origins[1] - self.origins[0]
        thickness = float(np.linalg.norm(step))
        image.SetOrigin(self.origins[0].tolist())
        image.SetSpacing([self.column_spacing, self.row_spacing, thickness])
        image.SetDirection(np.stack([self.along_row, self.along_column, step / thickness], axis=1).ravel().tolist())
        return image


@dataclass(frozen=True)
class Contour:
    """One contour: its points in patient coordinates, what kind it is, and the image it claims to be on."""

    points: Array
    kind: str = "CLOSED_PLANAR"
    image: str | None = None


def write_structure_set(
    path: Path, record: CtRecord, rois: Mapping[str, Sequence[Contour]], change: Change | None = None
) -> Path:
    """Write an RTSTRUCT of a series, ROIs numbered from 11 on."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = RT_STRUCTURE_SET_STORAGE, generate_uid()
    dataset.PatientID, dataset.Modality = record.patient_id, "RTSTRUCT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = record.study_instance_uid, generate_uid()
    dataset.StructureSetLabel, dataset.SeriesDescription = "EXPERT", "contours"
    series, study, frame_of_reference = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    series.SeriesInstanceUID = record.series_instance_uid
    study.RTReferencedSeriesSequence = [series]
    frame_of_reference.FrameOfReferenceUID = record.frame_of_reference_uid
    frame_of_reference.RTReferencedStudySequence = [study]
    dataset.ReferencedFrameOfReferenceSequence = [frame_of_reference]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(rois.items(), start=11):
        roi, drawn = pydicom.Dataset(), pydicom.Dataset()
        roi.ROINumber, roi.ROIName = number, name
        roi.ReferencedFrameOfReferenceUID = record.frame_of_reference_uid
        dataset.StructureSetROISequence.append(roi)
        drawn.ReferencedROINumber = number
        if contours:
            drawn.ContourSequence = [_item(contour) for contour in contours]
        dataset.ROIContourSequence.append(drawn)
    if change:
        change(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _item(contour: Contour) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = contour.kind, len(contour.points)
    item.ContourData = [f"{value:.10g}"[:16] for value in np.asarray(contour.points).ravel()]
    if contour.image:
        image = pydicom.Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT_IMAGE_STORAGE, contour.image
        item.ContourImageSequence = [image]
    return item


def plastimatch(*arguments: object) -> None:
    """Run `plastimatch convert`."""
    program = shutil.which("plastimatch")
    assert program, "plastimatch is missing; run tools/install_debian_packages.sh"
    done = subprocess.run([program, "convert", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def by_plastimatch(example: Example, masks: Mapping[str, npt.NDArray[np.bool_]], folder: Path) -> Path:
    """Make an RTSTRUCT of masks on the grid of ct.nii.gz; plastimatch takes them as the bits of one image."""
    bits = sum(mask.astype(np.uint8) << bit for bit, mask in enumerate(masks.values()))
    folder.mkdir()
    SimpleITK.WriteImage(Frames(example).image(example.record.to_dicom(bits)), str(folder / "bits.nrrd"))
    (folder / "names.txt").write_text("".join(f"{bit}|255 0 0|{name}\n" for bit, name in enumerate(masks)))
    (folder / "ct").mkdir()
    for instance in example.series.instances:
        (folder / "ct" / instance.path.name).symlink_to(instance.path)
    source = ("--input-ss-img", folder / "bits.nrrd", "--input-ss-list", folder / "names.txt")
    plastimatch(*source, "--referenced-ct", folder / "ct", "--output-dicom", folder / "dicom")
    (path,) = (folder / "dicom").glob("rtss*")
    return path


def masks_by_plastimatch(path: Path, example: Example, folder: Path) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the masks that plastimatch makes of an RTSTRUCT, by ROI name, on the grid of ct.nii.gz."""
    frames = Frames(example)
    folder.mkdir()
    assert example.record.shape is not None
    grid = np.zeros(example.record.shape[::-1], dtype=np.uint8)
    SimpleITK.WriteImage(frames.image(grid), str(folder / "grid.nrrd"))
    output = ("--output-prefix", folder / "masks", "--prefix-format", "nrrd")
    plastimatch("--input", path, "--fixed", folder / "grid.nrrd", "--xor-contours", *output)
    found = {}
    for file in (folder / "masks").glob("*.nrrd"):
        pixels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file))) > 0
        assert pixels.shape == grid.shape
        found[file.stem] = np.asarray(example.record.from_dicom(pixels))
    return found
