"""Measure the demo models on phantoms they have not seen: organs by nnU-Net itself, landmarks by the room bpr_json."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.bpr_json.curve import score_curve
from ct_assets.bpr_json.landmarks import locate_landmarks
from ct_assets.demo.nnunet_format import TASK, Configuration
from ct_assets.demo.phantom import ORGANS, Phantom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HELD_OUT_SEEDS: Final = tuple(range(900_000, 900_010))
"""Seeds of phantoms that neither the training nor the demo collection has."""


def write_nifti(phantom: Phantom, path: Path) -> None:
    """Write the CT numbers of a phantom as NIfTI."""
    import SimpleITK as sitk  # noqa: N813 (its usual name)

    image = sitk.GetImageFromArray(phantom.hu)
    image.SetSpacing(phantom.spacing[::-1])
    image.SetOrigin(phantom.grid.origin)
    sitk.WriteImage(image, str(path))


def write_held_out(folder: Path, phantoms: Sequence[Phantom]) -> None:
    """Write phantoms as <seed>_0000.nii.gz, the name nnU-Net expects."""
    for phantom in phantoms:
        write_nifti(phantom, folder / f"{phantom.patient.seed}_0000.nii.gz")


def predict_organs(
    models: Path, configuration: Configuration, images: Path, output: Path, *, tta: bool = False
) -> None:
    """Run nnU-Net's own prediction command.

    Parameters
    ----------
    models
        nnU-Net's RESULTS_FOLDER.
    configuration
        2d, 3d_lowres or 3d_fullres.
    images
        Folder of <case>_0000.nii.gz.
    output
        Folder for <case>.nii.gz.
    tta
        Whether to mirror at test time.

    Raises
    ------
    RuntimeError
        If the command fails; with the end of its output.
    """
    command = [sys.executable, "-m", "nnunet.inference.predict_simple", "-i", str(images), "-o", str(output)]
    command += ["-t", TASK, "-m", configuration, "-f", "0"]
    command += ["--num_threads_preprocessing", "2", "--num_threads_nifti_save", "2"]
    if not tta:
        command.append("--disable_tta")
    environment = os.environ | {"RESULTS_FOLDER": str(models), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        msg = f"nnUNet_predict failed: {done.stdout[-1000:]} {done.stderr[-3000:]}"
        raise RuntimeError(msg)


def dice(phantom: Phantom, prediction: Path) -> dict[str, float]:
    """Give the Dice of every organ between a phantom's truth and a predicted label map on the CT's own grid."""
    import SimpleITK as sitk  # noqa: N813 (its usual name)

    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(prediction)))
    result = {}
    for organ, label in ORGANS.items():
        found, truth = labels == label, phantom.labels == label
        result[organ] = float(2.0 * (found & truth).sum() / max(found.sum() + truth.sum(), 1))
    return result


def landmark_errors(model: Path, phantoms: Sequence[Phantom]) -> dict[str, list[float | None]]:
    """Measure where body part regression finds the landmarks that lie within the scans.

    Parameters
    ----------
    model
        bpreg's model folder.
    phantoms
        Scans with the true z of their landmarks.

    Returns
    -------
    dict
        Found minus true height in mm by landmark, one per phantom whose scan holds the landmark; None where it was not
        located.
    """
    scorer = BpregModel(model, "cpu")
    errors: dict[str, list[float | None]] = {}
    for phantom in phantoms:
        volume, affine = phantom.hu.transpose(2, 1, 0), _index_to_ras(phantom)
        result = scorer(volume, affine).result
        assert result is not None, "a phantom can be scored"
        curve = score_curve(result, volume.shape[2], affine)
        assert curve is not None, "phantoms are axial"
        found = {item.name: item.height_mm for item in locate_landmarks(curve.scores, curve.heights_mm, curve.lookup)}
        for name, true in phantom.landmarks.items():
            if phantom.grid.z[0] <= true <= phantom.grid.z[-1]:
                height = found[name]
                errors.setdefault(name, []).append(None if height is None else height - true)
    return errors


def _index_to_ras(phantom: Phantom) -> NDArray[np.float64]:
    """Matrix (4, 4) from (column, row, slice, 1) to RAS in mm."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ phantom.affine[:, [2, 1, 0, 3]]
