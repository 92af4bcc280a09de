"""How our objects say who made them, and what makes them the same bytes for the same input."""

from importlib.metadata import version
from pathlib import Path

import pydicom
from highdicom import ContributingEquipment
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ct_assets.provenance import Provenance
from ct_assets.store.atomic import atomic_path

MANUFACTURER = "ct-assets"
"""Manufacturer of everything that we make."""

SHORT_NOTICE = "demonstration model"
"""What stays of the notice of a demonstration model where a value holds 64 characters."""

LONG_STRING_LENGTH = 64
"""Most characters of a value of VR LO (PS3.5 6.2)."""

CONFIGURATIONS = ("3d_fullres", "3d_lowres", "2d")
"""nnU-Net configurations in the order in which their series are numbered."""

_WRITERS = ("ct-assets", "highdicom", "pydicom")
_DIGEST_LENGTH = 16


def algorithm_name(provenance: Provenance) -> str:
    """Return the published name of a segmentation algorithm, such as ``3d_fullres-tta_nnU-Net``.

    Parameters
    ----------
    provenance : Provenance
        How the label map was made.
    """
    return f"{provenance.configuration}-{'tta' if provenance.tta else 'no_tta'}_nnU-Net"


def segment_algorithm_name(provenance: Provenance) -> str:
    """Return the published name of a segmentation algorithm, or the whole notice of a demonstration model.

    Parameters
    ----------
    provenance : Provenance
        How the label map was made.

    Returns
    -------
    str
        At most 64 characters.
    """
    if provenance.notice:
        return f"{provenance.configuration}: {provenance.notice}"
    return algorithm_name(provenance)


def algorithm_version(provenance: Provenance) -> str:
    """Return software and weights in one LO: the software, cut if need be, and the start of the weights' digest.

    Parameters
    ----------
    provenance : Provenance
        How something was made.
    """
    weights = f" weights {provenance.weights_digest[:_DIGEST_LENGTH]}"
    return provenance.software[: LONG_STRING_LENGTH - len(weights)] + weights


def algorithm_parameters(provenance: Provenance) -> dict[str, str]:
    """Return everything that determines a model's output, the whole weights' digest included, as text.

    Parameters
    ----------
    provenance : Provenance
        How something was made.
    """
    parameters = {
        "model": provenance.name,
        "configuration": provenance.configuration,
        "folds": " ".join(str(fold) for fold in provenance.folds),
        "tta": "yes" if provenance.tta else "no",
        "step_size": "" if provenance.step_size is None else f"{provenance.step_size:g}",
        "mixed_precision": "yes" if provenance.mixed_precision else "",
        "weights_sha256": provenance.weights_digest,
        "software": provenance.software,
        "notice": provenance.notice or "",
    }
    return {key: value for key, value in parameters.items() if value}


def with_notice(text: str, provenance: Provenance) -> str:
    """Return a text of VR LO that says so if a demonstration model stands behind it.

    Parameters
    ----------
    text : str
        Text of at most 42 characters, so that the notice fits.
    provenance : Provenance
        How something was made.

    Raises
    ------
    ValueError
        If text and notice are longer than 64 characters.
    """
    noted = f"{text} ({SHORT_NOTICE})" if provenance.demonstration else text
    if len(noted) > LONG_STRING_LENGTH:
        message = f"{noted!r} has more than {LONG_STRING_LENGTH} characters"
        raise ValueError(message)
    return noted


def series_number(first: int, provenance: Provenance) -> int:
    """Return the SeriesNumber of an object made per configuration: the first for 3d_fullres, the next for others.

    Parameters
    ----------
    first : int
        Published SeriesNumber.
    provenance : Provenance
        How the label map was made.
    """
    known = provenance.configuration in CONFIGURATIONS
    return first + (CONFIGURATIONS.index(provenance.configuration) if known else len(CONFIGURATIONS))


def software_versions(*software: str) -> tuple[str, ...]:
    """Return the software that made an object, one LO each, the writers first.

    Parameters
    ----------
    *software : str
        What made its content, such as ``Provenance.software``.
    """
    return (
        *(f"{name} {version(name)}" for name in _WRITERS),
        *(text[:LONG_STRING_LENGTH] for text in software if text),
    )


def contributing_equipment(provenance: Provenance, description: str) -> list[ContributingEquipment]:
    """Return the model behind an object as processing equipment (PS3.3 C.12.1, PS3.16 CID 7005).

    highdicom adds the scanner, as the source names it, and itself.

    Parameters
    ----------
    provenance : Provenance
        Which model, and how it was run.
    description : str
        What it contributed.
    """
    if not provenance.weights_digest:
        return []
    name, _, release = provenance.software.partition(",")[0].strip().rpartition(" ")
    return [
        ContributingEquipment(
            manufacturer=name or release,
            purpose_of_reference=codes.DCM.ProcessingEquipment,
            manufacturer_model_name=provenance.name,
            software_versions=provenance.software[:LONG_STRING_LENGTH],
            device_serial_number=provenance.weights_digest[:LONG_STRING_LENGTH],
            contribution_description=provenance.notice or description,
        )
    ]


def save(dataset: pydicom.Dataset, target: Path, *, deflate: bool = False) -> None:
    """Write an object atomically as a DICOM file.

    Parameters
    ----------
    dataset : Dataset
        Object with file meta information, in Explicit VR Little Endian.
    target : Path
        File to write.
    deflate : bool, default False
        Write Deflated Explicit VR Little Endian instead (PS3.5 A.5).
    """
    if deflate:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with atomic_path(target) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
