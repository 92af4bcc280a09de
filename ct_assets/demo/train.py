"""Reproduce the shipped weights: `python -m ct_assets.demo.train` (30 minutes in all on two busy CPU cores)."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from ct_assets.demo.nnunet_format import CONFIGURATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped weights."""
REGRESSION = "bpreg"
"""Name of the body part regression model among the models to train."""
TRAINING_SEEDS = list(range(500_000, 500_048))
"""Seeds of the training phantoms; the demo collection and the tests use others."""


@click.command()
@click.option(
    "--only",
    type=click.Choice([*CONFIGURATIONS, REGRESSION]),
    multiple=True,
    help="Train only this model; may be repeated.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=WEIGHTS,
    show_default=True,
    help="Folder for the weights.",
)
def main(only: tuple[str, ...], output: Path) -> None:
    """Train the demonstration models on phantoms and write their weights."""
    from ct_assets.demo.train_regression import train_regression
    from ct_assets.demo.train_segmentation import train_configuration

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    output.mkdir(parents=True, exist_ok=True)
    for name in [*CONFIGURATIONS, REGRESSION]:
        if only and name not in only:
            continue
        start = time.monotonic()
        if name == REGRESSION:
            arrays: Mapping[str, NDArray[np.generic]] = train_regression(TRAINING_SEEDS)
        else:
            arrays = train_configuration(next(c for c in CONFIGURATIONS if c == name), TRAINING_SEEDS)
        path = output / f"{name}.npz"
        np.savez_compressed(path, allow_pickle=False, **arrays)
        logger.info("%s: trained in %.0f s, %d bytes", name, time.monotonic() - start, path.stat().st_size)


if __name__ == "__main__":
    main()
