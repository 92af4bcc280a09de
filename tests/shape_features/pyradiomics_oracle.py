"""What pyradiomics says of a mask, called as the published pipeline calls it: on the whole image, with its geometry."""

from collections.abc import Sequence

import numpy as np
import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor

from ct_assets.dicom.codes import feature_codes
from ct_assets.shape_features.features import measure_shape
from ct_assets.shape_features.organ_mask import organ_of_mask

DEGENERATE_MM = 1e-4
"""An axis shorter than this has no length but the rounding of an eigenvalue that is zero."""

_NEEDS_AXIS = {
    "MinorAxisLength": "MinorAxisLength",
    "Elongation": "MinorAxisLength",
    "LeastAxisLength": "LeastAxisLength",
    "Flatness": "LeastAxisLength",
}


def pyradiomics_says(
    mask: np.ndarray, spacing: Sequence[float], direction: np.ndarray | None = None
) -> dict[str, float]:
    """Return the 14 features of a mask, shape (columns, rows, slices); a refusal is a ValueError."""
    extractor = RadiomicsFeatureExtractor(minimumROIDimensions=3)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(shape=list(feature_codes()))
    image = SimpleITK.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing([float(length) for length in spacing])
    if direction is not None:
        image.SetDirection(direction.ravel().tolist())
    result = extractor.execute(image, image)
    return {name: complex(result[f"original_shape_{name}"]).real for name in feature_codes()}


def we_say(mask: np.ndarray, spacing: Sequence[float]) -> dict[str, float]:
    """Return our features of a mask that has a shape."""
    organ = organ_of_mask(mask, 2, "heart", np.eye(4), "")
    assert organ.refusal is None
    columns, rows, slices = (float(length) for length in spacing)
    return measure_shape(organ.voxels, (columns, rows, slices))


def assert_equal(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Assert 1e-9 relative; 1e-6 absolute for an axis that is degenerate, and what it is divided by."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        degenerate = theirs[_NEEDS_AXIS.get(name, "MajorAxisLength")] < DEGENERATE_MM
        allowed = 1e-6 if degenerate else 1e-9 * abs(value)
        assert abs(ours[name] - value) <= allowed, f"{name}: {ours[name]!r}, pyradiomics {value!r}"
