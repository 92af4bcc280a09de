"""Small CT series in known geometries, label maps with every awkward organ, and dcmqi's view of a SEG."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK
from pydicom.uid import ExplicitVRLittleEndian

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.demo.collection import CASES, DEFAULT_SEED, write_case
from ct_assets.dicom.series import CT_IMAGE_STORAGE, CtInstance, CtSeries
from ct_assets.dicom.uids import derived_uid
from ct_assets.dicom.written import WrittenObject, write_objects
from ct_assets.dicom_seg.writer import plan_seg
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.provenance import Provenance
from ct_assets.store.paths import SeriesFolder

ESOPHAGUS, HEART, TRACHEA, AORTA = 1, 2, 3, 4


@dataclass(frozen=True)
class Geometry:
    """How a synthetic series lies in space and in its folder."""

    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    pixel_spacing: tuple[float, float] = (1.5, 1.5)
    slice_spacing: float = 2.5
    stored_backwards: bool = False


def _oblique() -> tuple[float, ...]:
    """Row and column cosines turned by 20 degrees about x, then 15 degrees about z."""
    a, b = np.deg2rad(20), np.deg2rad(15)
    about_x = np.asarray([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.asarray([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return tuple((about_z @ about_x)[:, :2].T.ravel())


GEOMETRIES = {
    "axial": Geometry(),
    "rotated by half a turn": Geometry(orientation=(-1, 0, 0, 0, -1, 0)),
    "rows flipped": Geometry(orientation=(1, 0, 0, 0, -1, 0)),
    "columns flipped, non-square": Geometry(orientation=(-1, 0, 0, 0, 1, 0), pixel_spacing=(0.9, 1.7)),
    "oblique, non-square": Geometry(orientation=_oblique(), pixel_spacing=(1.7, 0.9)),
    "stored backwards": Geometry(stored_backwards=True),
}


REAL = {"chest_ct_64": "real/chest_ct_64/dicom", "ibsi_lung_ct": "real/ibsi_lung_ct/dicom/image"}
DEMO = {f"demo {case.patient_id}, {case.kind}": case for case in CASES if case.kind in {"reversed", "short"}}
EXAMPLES = (*GEOMETRIES, *REAL, *DEMO)
"""Names of all series: synthetic geometries, real CT and CT of the demo collection."""


def write_ct(folder: Path, geometry: Geometry, slices: int = 12) -> list[Path]:
    """Write a CT of 38 rows and 23 columns, whose frames fill no whole number of bytes as bits."""
    folder.mkdir(parents=True, exist_ok=True)
    cosines = np.asarray(geometry.orientation)
    normal = np.cross(cosines[:3], cosines[3:])
    random = np.random.default_rng(0)
    files = []
    for rank in range(slices):
        number = slices - rank if geometry.stored_backwards else rank + 1
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CT_IMAGE_STORAGE
        dataset.SOPInstanceUID = derived_uid("test instance", repr(geometry), str(rank))
        dataset.SeriesInstanceUID = derived_uid("test series", repr(geometry))
        dataset.StudyInstanceUID = derived_uid("test study", repr(geometry))
        dataset.FrameOfReferenceUID = derived_uid("test frame of reference", repr(geometry))
        dataset.PatientName, dataset.PatientID = "Doe^Jane", "TEST"
        dataset.PatientBirthDate, dataset.PatientSex = "19500101", "F"
        dataset.StudyDate, dataset.StudyTime = "20200102", "030405"
        dataset.AccessionNumber = dataset.StudyID = dataset.ReferringPhysicianName = ""
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.Manufacturer, dataset.InstanceNumber = "none", number
        dataset.PixelSpacing = [f"{value:.6g}" for value in geometry.pixel_spacing]
        dataset.SliceThickness = f"{geometry.slice_spacing}"
        dataset.ImageOrientationPatient = [f"{value:.12g}"[:16] for value in cosines]
        origin = np.asarray([-20.0, -30.0, -400.0]) + normal * geometry.slice_spacing * rank
        dataset.ImagePositionPatient = [f"{value:.10g}" for value in origin]
        dataset.Rows, dataset.Columns = 38, 23
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.PixelData = random.integers(-1000, 1000, (38, 23), dtype=np.int16).tobytes()
        files.append(folder / f"{number:03}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


@dataclass(frozen=True)
class Example:
    """A series with its ct.json, and a label map of it."""

    series: CtSeries
    record: CtRecord
    labels: npt.NDArray[np.uint8]
    seg_record: LabelMapRecord

    def write(self, target: Path, *, deflate: bool = False) -> WrittenObject:
        """Write the SEG, and its record beside it."""
        plan = plan_seg(lambda: self.series, self.record, self.labels, self.seg_record, target, deflate=deflate)
        return write_objects([plan], target.with_suffix(".json"))[plan.name]


def demo_provenance(**changes: object) -> Provenance:
    values = {
        "name": "demo",
        "configuration": "3d_fullres",
        "folds": (0, 1, 2, 3, 4),
        "tta": True,
        "step_size": 0.5,
        "weights_digest": "0123456789abcdef" * 4,
        "software": "nnunet 1.7.1",
        "demonstration": True,
    }
    return Provenance.model_validate({**values, **changes})


def label_map_record(record: CtRecord, provenance: Provenance) -> LabelMapRecord:
    return LabelMapRecord(
        series_instance_uid=record.series_instance_uid,
        source_digest=record.source_digest,
        label_map_digest="0" * 64,
        provenance=provenance,
        organs={},
        seconds=0,
    )


def make_example(files: Sequence[Path], folder: Path) -> Example:
    """Convert a series; its heart reaches the first and last slice, its aorta is one voxel, its trachea is absent."""
    record = convert(files, SeriesFolder(folder))
    assert record.fit, record.reasons
    assert record.shape is not None
    columns, rows, slices = record.shape
    labels = np.zeros(record.shape, dtype=np.uint8)
    labels[columns // 3 : columns // 2, rows // 5 : rows // 3, :] = HEART
    labels[columns // 3 : columns // 2, rows // 5 : rows // 3, slices // 3] = 0
    labels[0, 0, 0] = labels[-1, -1, -1] = labels[0, -1, slices // 2] = HEART
    labels[columns // 2 + 1 :, 2 : rows // 2, 2 : slices // 2] = ESOPHAGUS
    labels[2, rows - 3, slices - 2] = AORTA
    return Example(CtSeries.read(files), record, labels, label_map_record(record, demo_provenance()))


def write_example(name: str, folder: Path, shared_data: Path) -> Example:
    """Write or find the series of a name, and make an example of it."""
    if name in REAL:
        files = sorted((shared_data / REAL[name]).glob("*.dcm"))
    elif name in DEMO:
        write_case(folder / "dicom", DEMO[name], DEFAULT_SEED)
        files = sorted((folder / "dicom/CT").glob("*"))
    else:
        files = write_ct(folder / "dicom", GEOMETRIES[name])
    return make_example(files, folder / "series")


def with_headers(series: CtSeries, **changes: str | list[str] | None) -> CtSeries:
    """Replace attributes of every header, or remove them."""
    instances = []
    for instance in series.instances:
        header = pydicom.Dataset()
        header.update(instance.header)
        header.file_meta = instance.header.file_meta
        for keyword, value in changes.items():
            header.pop(keyword, None)
            if value is not None:
                setattr(header, keyword, value)
        instances.append(CtInstance(instance.path, header))
    return CtSeries(tuple(instances))


def dcmqi(tool: str, *arguments: object) -> None:
    """Run one of dcmqi's programs."""
    program = Path(sys.executable).with_name(tool)
    assert program.is_file(), f"{tool} is missing; install the development dependencies (dcmqi)"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def label_map_by_dcmqi(seg: Path, record: CtRecord, folder: Path) -> npt.NDArray[np.uint8]:
    """Return the label map that dcmqi finds in a SEG, carried to the grid of ct.nii.gz by physical positions."""
    folder.mkdir(parents=True, exist_ok=True)
    dcmqi("segimage2itkimage", "--inputDICOM", seg, "--outputDirectory", folder, "--prefix", "seg", "-t", "nrrd")
    assert record.shape is not None
    labels = np.zeros(record.shape, dtype=np.uint8)
    to_index = np.linalg.inv(np.asarray(record.affine)) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    for path in sorted(folder.glob("seg-*.nrrd")):
        image = SimpleITK.ReadImage(str(path))
        voxels = np.argwhere(SimpleITK.GetArrayFromImage(image))[:, ::-1]
        direction = np.asarray(image.GetDirection()).reshape(3, 3)
        points = (voxels * image.GetSpacing()) @ direction.T + image.GetOrigin()
        exact = (np.c_[points, np.ones(len(points))] @ to_index.T)[:, :3]
        index = np.rint(exact).astype(int)
        assert np.abs(exact - index).max(initial=0) < 0.05, "dcmqi's voxels are not the CT's"
        label = int(SimpleITK.GetArrayFromImage(image).max())
        assert not np.any(labels[tuple(index.T)]), "segments overlap"
        labels[tuple(index.T)] = label
    return labels
