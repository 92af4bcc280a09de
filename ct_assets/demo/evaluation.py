"""Measure the demo models on phantoms they have not seen, through nnU-Net's and bpreg's own inference code."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.demo.nnunet_format import TASK, Configuration
from ct_assets.demo.phantom import ORGANS, Phantom, make_phantom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HELD_OUT_SEEDS: Final = tuple(range(900_000, 900_010))
"""Seeds of phantoms that neither the training nor the demo collection has."""

BodyParts = dict[str, Any]
"""What bpreg writes for one series."""


def write_nifti(phantom: Phantom, path: Path) -> None:
    """Write the CT numbers of a phantom as NIfTI."""
    import SimpleITK as sitk  # noqa: N813 (its usual name)

    image = sitk.GetImageFromArray(phantom.hu)
    image.SetSpacing(phantom.spacing[::-1])
    image.SetOrigin(phantom.grid.origin)
    sitk.WriteImage(image, str(path))


def write_held_out(folder: Path, seeds: Sequence[int] = HELD_OUT_SEEDS) -> list[Phantom]:
    """Render held-out phantoms and write them as <seed>_0000.nii.gz, the name nnU-Net expects."""
    phantoms = [make_phantom(seed) for seed in seeds]
    for phantom in phantoms:
        write_nifti(phantom, folder / f"{phantom.patient.seed}_0000.nii.gz")
    return phantoms


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


def predict_body_parts(models: Path, images: Sequence[Path]) -> list[BodyParts]:
    """Run bpreg's own inference on images in two processes; gives its result per image, in order."""
    with ProcessPoolExecutor(2) as pool:
        halves = list(pool.map(_predict_body_parts, [models] * 2, [images[0::2], images[1::2]]))
    return [halves[i % 2][i // 2] for i in range(len(images))]


def _predict_body_parts(models: Path, images: Sequence[Path]) -> list[BodyParts]:
    import torch

    torch.set_num_threads(1)
    model = import_inference_model().InferenceModel(f"{models / 'bpreg'}/", gpu=0)
    model.model.to(memory_format=torch.channels_last)
    return [model.nifti2json(str(path)) for path in images]


def landmark_z(found: BodyParts, name: str, first_z: float) -> float | None:
    """Give the z in mm at which the cleaned score crosses the look-up mean, interpolated; None where it does not.

    Parameters
    ----------
    found
        bpreg's result.
    name
        The landmark.
    first_z
        z of the first slice in mm.
    """
    scores, z = np.array(found["cleaned slice scores"]), np.array(found["z"])
    valid = ~np.isnan(scores)
    scores, z = scores[valid], z[valid]
    target = found["look-up table"][name]["mean"]
    crossing = np.flatnonzero((scores[:-1] < target) & (scores[1:] >= target))
    if not crossing.size:
        return None
    i = int(crossing[0])
    share = (target - scores[i]) / (scores[i + 1] - scores[i])
    return float(first_z + z[i] + share * (z[i + 1] - z[i]))
