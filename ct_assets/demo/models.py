"""Install the demo models: real nnU-Net and bpreg model folders built from the small shipped weights."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ct_assets.demo import bpreg_format, nnunet_format
from ct_assets.demo.bpreg_format import CORRECTION_PREFIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

VERSION: Final = "1"
"""Version of the demo models."""
DATE: Final = "2026-11-23"
"""Date of the training."""
WEIGHTS: Final = Path(__file__).parent / "weights"
"""Folder of the shipped weights."""
CARD: Final = "model_card.json"
"""Name of the file in every model folder that says what the model is."""

_NAME = "ct-assets demonstration model"
_STAMP = "demo_models.json"


def install_models(root: Path) -> None:
    """Build the demo models in <root>/demo, unless they are already there.

    Parameters
    ----------
    root
        Folder of the model store. Afterwards <root>/demo serves as nnU-Net's RESULTS_FOLDER, with the models in
        <root>/demo/nnUNet/<configuration>/..., and <root>/demo/bpreg is bpreg's model folder.

    Raises
    ------
    FileNotFoundError
        If the shipped weights are missing.
    """
    stamp = {"schema_version": 1, "version": VERSION, "weights_sha256": weights_digest()}
    target = root / "demo"
    if _read(target / _STAMP) == stamp:
        logger.info("demo models are already in %s", target)
        return
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".demo-", dir=root))
    try:
        scratch.chmod(0o755)
        _build(scratch / "new")
        (scratch / "new" / _STAMP).write_text(json.dumps(stamp, indent=1) + "\n")
        if target.exists():
            target.rename(scratch / "old")
        (scratch / "new").rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    logger.info("demo models installed in %s", target)


def weights_digest() -> str:
    """Give the SHA-256 of the shipped weights, hexadecimal."""
    digest = hashlib.sha256()
    for name in (*nnunet_format.CONFIGURATIONS, "bpreg"):
        digest.update(_weights_path(name).read_bytes())
    return digest.hexdigest()


def load_weights(name: str) -> dict[str, NDArray[Any]]:
    """Read the shipped arrays of one model: 2d, 3d_lowres, 3d_fullres or bpreg."""
    with np.load(_weights_path(name), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _weights_path(name: str) -> Path:
    path = WEIGHTS / f"{name}.npz"
    if not path.is_file():
        msg = f"{path} belongs to the package but is missing; `python -m ct_assets.demo.train --only {name}` makes it"
        raise FileNotFoundError(msg)
    return path


def _build(folder: Path) -> None:
    segmentation = "nnU-Net v1 network for esophagus, heart, trachea and aorta (labels 1 to 4)"
    for configuration in nnunet_format.CONFIGURATIONS:
        model = nnunet_format.write_model(folder, configuration, load_weights(configuration))
        _write_card(model, segmentation, configuration)
    _write_card(folder / "nnUNet", segmentation, "")
    arrays = load_weights("bpreg")
    corrections = {
        name.removeprefix(CORRECTION_PREFIX): float(value)
        for name, value in arrays.items()
        if name.startswith(CORRECTION_PREFIX)
    }
    narrow = {name: value for name, value in arrays.items() if not name.startswith(CORRECTION_PREFIX)}
    model = bpreg_format.write_model(folder / "bpreg", narrow, corrections)
    _write_card(model, "bpreg body part regression network", "")


def _write_card(folder: Path, purpose: str, configuration: str) -> None:
    card = {
        "schema_version": 1,
        "name": _NAME,
        "version": VERSION,
        "date": DATE,
        "demonstration": True,
        "notice": "demonstration model, not for real anatomy",
        "purpose": purpose,
        "trained_on": "parametric chest phantoms of ct_assets.demo.phantom; no patient data",
    }
    if configuration:
        card["configuration"] = configuration
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
