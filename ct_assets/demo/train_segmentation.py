"""Train the demo segmentation networks on phantoms, preprocessed by nnU-Net's own preprocessor."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ct_assets.demo.nnunet_format import INTENSITIES, Configuration, stage, untrained_network
from ct_assets.demo.phantom import make_phantom

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

STEPS: dict[Configuration, int] = {"2d": 1400, "3d_lowres": 400, "3d_fullres": 520}
"""Optimiser steps per configuration."""
THREADS = 2
"""CPU threads that training uses."""

_CLASS_WEIGHTS = (0.5, 2.5, 1.0, 2.0, 1.5)  # background, esophagus, heart, trachea, aorta
_LEARNING_RATE = 4e-3
_MIRROR = 0.3  # probability per axis: test-time augmentation mirrors too


@dataclass(frozen=True)
class Case:
    """One preprocessed phantom: image and labels, both (slices, rows, columns) on the network's grid."""

    image: NDArray[np.float16]
    labels: NDArray[np.uint8]


def prepare(seed: int, configuration: Configuration) -> Case:
    """Render a phantom and preprocess it as nnU-Net does at inference."""
    from nnunet.preprocessing.preprocessing import GenericPreprocessor, PreprocessorFor2D

    phantom = make_phantom(seed)
    kind = PreprocessorFor2D if configuration == "2d" else GenericPreprocessor
    preprocessor = kind({0: "CT"}, {0: False}, [0, 1, 2], {0: INTENSITIES})
    properties = {"original_spacing": np.array(phantom.spacing)}
    with contextlib.redirect_stdout(io.StringIO()):
        data, seg, _ = preprocessor.resample_and_normalize(
            phantom.hu[None].astype(np.float32),
            stage(configuration)["current_spacing"],
            properties,
            phantom.labels[None].astype(np.float32),
        )
    return Case(data[0].astype(np.float16), np.rint(seg[0]).astype(np.uint8))


def prepare_all(seeds: list[int], configuration: Configuration) -> list[Case]:
    """Prepare phantoms in parallel; same order as the seeds."""
    with ProcessPoolExecutor(THREADS) as pool:
        return list(pool.map(prepare, seeds, [configuration] * len(seeds)))


def train_configuration(configuration: Configuration, seeds: list[int]) -> dict[str, NDArray[np.float16]]:
    """Train one network.

    Parameters
    ----------
    configuration
        2d, 3d_lowres or 3d_fullres.
    seeds
        Seeds of the training phantoms.

    Returns
    -------
    dict of str to array of float16
        The state dict.
    """
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    start = time.monotonic()
    cases = prepare_all(seeds, configuration)
    logger.info(
        "%s: %d phantoms preprocessed to %s and alike in %.0f s",
        configuration,
        len(cases),
        cases[0].image.shape,
        time.monotonic() - start,
    )
    layout = torch.channels_last if configuration == "2d" else torch.channels_last_3d
    network = untrained_network(configuration).to(memory_format=layout)
    steps = STEPS[configuration]
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.15)
    rng = np.random.Generator(np.random.PCG64(7))
    batch = 16 if configuration == "2d" else 1
    running = 0.0
    for step in range(1, steps + 1):
        image, labels = _sample(cases, configuration, batch, rng)
        loss = _loss(network(image.contiguous(memory_format=layout)), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        schedule.step()
        value = loss.item()
        running = 0.95 * running + 0.05 * value if step > 1 else value
        if step % 50 == 0:
            logger.info(
                "%s: step %d of %d, loss %.3f, %.0f s", configuration, step, steps, running, time.monotonic() - start
            )
    return {
        name: value.detach().contiguous().numpy().astype(np.float16) for name, value in network.state_dict().items()
    }


def _sample(
    cases: list[Case], configuration: Configuration, batch: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a batch of augmented patches."""
    import torch

    patch = tuple(int(n) for n in stage(configuration)["patch_size"])
    images, labels = [], []
    for _ in range(batch):
        case = cases[int(rng.integers(len(cases)))]
        image, label = _patch(case, patch if len(patch) == 3 else (1, *patch), rng)
        for axis in range(3):
            if rng.random() < _MIRROR:
                image, label = np.flip(image, axis), np.flip(label, axis)
        image = image.astype(np.float32) * rng.uniform(0.9, 1.1) + rng.uniform(-0.12, 0.12)
        image = image + rng.normal(0.0, rng.uniform(0.0, 0.06), image.shape)
        images.append(image[0] if configuration == "2d" else image)
        labels.append(label[0] if configuration == "2d" else label)
    x = torch.from_numpy(np.stack(images)[:, None].astype(np.float32))
    return x, torch.from_numpy(np.stack(labels).astype(np.int64))


def _patch(case: Case, size: tuple[int, ...], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a patch at random, padded as nnU-Net pads at inference where the case is smaller."""
    pad = [max(0, want - have) for want, have in zip(size, case.image.shape, strict=True)]
    widths = [(n // 2, n - n // 2) for n in pad]
    image, label = np.pad(case.image, widths), np.pad(case.labels, widths)
    start = [int(rng.integers(have - want + 1)) for want, have in zip(size, image.shape, strict=True)]
    window = tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))
    return image[window], label[window]


def _loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Weighted cross entropy plus soft Dice over the organs of the whole batch."""
    import torch
    from torch.nn import functional

    entropy = functional.cross_entropy(logits, labels, torch.tensor(_CLASS_WEIGHTS))
    shares = torch.softmax(logits, 1)
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    axes = (0, *range(2, logits.ndim))
    overlap = (shares * truth).sum(axes)
    dice = (2.0 * overlap + 1.0) / (shares.sum(axes) + truth.sum(axes) + 1.0)
    return entropy + 1.0 - dice[1:].mean()
