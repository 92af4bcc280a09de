"""Train the demo body part regression network on the heights of phantom slices."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.demo.bpreg_format import (
    CORRECTION_PREFIX,
    SCORE_PER_MM,
    build_narrow_network,
    raw_score,
)
from ct_assets.demo.phantom import make_phantom

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

STEPS = 800
"""Optimiser steps."""


_BATCH = 32
_LEARNING_RATE = 2e-3
_MORE_PHANTOMS = 32  # seeds that follow the training seeds: slices are cheap
_CALIBRATION = 16
_THREADS = 2
_CALIBRATED = ("lung_start", "lung_end")


def prepare(seed: int) -> tuple[NDArray[np.float16], NDArray[np.float32], tuple[float, float, float], dict[str, float]]:
    """Render a phantom and preprocess it as bpreg does.

    Returns
    -------
    tuple
        Slices (n, 128, 128) in [-1, 1]; raw score (n,) of their heights; first z, z spacing and size; landmark z in mm.
    """
    module = import_inference_model()
    phantom = make_phantom(seed)
    step, row, column = phantom.spacing
    converter = module.Nifti2Npy(target_pixel_spacing=3.5, min_hu=-1000, max_hu=1500, size=128)
    volume = phantom.hu.transpose(2, 1, 0).astype(np.float32)
    slices = converter.preprocess_npy(volume, (column, row, step)).transpose(2, 0, 1)
    heights = (phantom.grid.z - phantom.patient.table_z) / phantom.patient.size
    place = (float(phantom.grid.z[0]), step, phantom.patient.size)
    return slices.astype(np.float16), raw_score(heights).astype(np.float32), place, phantom.landmarks


def train_regression(seeds: list[int]) -> dict[str, NDArray[np.generic]]:
    """Train the network and calibrate the look-up table at the lungs.

    Parameters
    ----------
    seeds
        Seeds of the training phantoms; 32 that follow the last are used too.

    Returns
    -------
    dict of str to array
        The state dict of the trained part in float16, and one scalar per calibrated landmark.
    """
    import torch

    torch.set_num_threads(_THREADS)
    torch.manual_seed(0)
    start = time.monotonic()
    with ProcessPoolExecutor(_THREADS) as pool:
        cases = list(pool.map(prepare, [*seeds, *(seeds[-1] + 1 + i for i in range(_MORE_PHANTOMS))]))
    images = np.concatenate([case[0] for case in cases])
    scores = np.concatenate([case[1] for case in cases])
    logger.info("bpreg: %d slices of %d phantoms in %.0f s", len(images), len(cases), time.monotonic() - start)
    network = build_narrow_network().to(memory_format=torch.channels_last)
    for module in network:
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    rng = np.random.Generator(np.random.PCG64(8))
    running = 0.0
    for step in range(1, STEPS + 1):
        chosen = rng.integers(len(images), size=_BATCH)
        x = torch.from_numpy(_augment(images[chosen].astype(np.float32), rng))
        target = torch.from_numpy(scores[chosen])
        loss = torch.nn.functional.smooth_l1_loss(
            network(x[:, None].contiguous(memory_format=torch.channels_last))[:, 0], target, beta=0.1
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        value = loss.item()
        running = 0.98 * running + 0.02 * value if step > 1 else value
        if step % 100 == 0:
            logger.info("bpreg: step %d of %d, loss %.4f, %.0f s", step, STEPS, running, time.monotonic() - start)
    arrays: dict[str, NDArray[np.generic]] = {
        name: value.detach().contiguous().numpy().astype(np.float16) for name, value in network.state_dict().items()
    }
    return arrays | _calibrate(network, cases[-_CALIBRATION:])


def _augment(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mirror (readers disagree on the order of rows and columns), shift and change brightness and noise."""
    out = np.empty_like(x)
    for index, image in enumerate(x):
        view = image[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        view = np.roll(view, rng.integers(-4, 5, 2), axis=(0, 1))
        out[index] = view * rng.uniform(0.95, 1.05) + rng.uniform(-0.02, 0.02)
    out += rng.normal(0.0, 0.01, out.shape).astype(np.float32)
    return np.clip(out, -1.0, 1.0)


def _calibrate(
    network: torch.nn.Module,
    cases: list[tuple[NDArray[np.float16], NDArray[np.float32], tuple[float, float, float], dict[str, float]]],
) -> dict[str, NDArray[np.generic]]:
    """Measure by how much the smoothed score at the ends of the lungs differs from that of their atlas height."""
    import torch
    from scipy.ndimage import gaussian_filter

    from ct_assets.demo.atlas import LANDMARK_HEIGHTS

    found: dict[str, list[float]] = {name: [] for name in _CALIBRATED}
    errors = []
    for images, scores, (first, step, _), landmarks in cases:
        with torch.no_grad():
            predicted = network(torch.from_numpy(images.astype(np.float32))[:, None])[:, 0].numpy()
        errors.append(np.abs(predicted - scores).mean() / SCORE_PER_MM)
        smooth = gaussian_filter(predicted, 10.0 / step)
        for name in _CALIBRATED:
            found[name].append(float(np.interp((landmarks[name] - first) / step, np.arange(len(smooth)), smooth)))
    logger.info("bpreg: mean error of a slice's height %.1f mm on %d phantoms", float(np.mean(errors)), len(cases))
    return {
        CORRECTION_PREFIX + name: np.asarray(np.median(values) - float(raw_score(LANDMARK_HEIGHTS[name])))
        for name, values in found.items()
    }
