"""The 14 shape features of a mask by pyradiomics' own extractor, with the published pipeline's settings."""

import logging

import numpy as np
import numpy.typing as npt

from ct_assets.dicom.codes import feature_codes
from ct_assets.quiet import quiet

logger = logging.getLogger(__name__)


def measure_by_pyradiomics(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Measure the shape of a mask with pyradiomics' extractor.

    Parameters
    ----------
    mask : ndarray of bool, shape (columns, rows, slices)
        Mask; shape does not depend on where in an image it lies.
    spacing_mm : tuple of float
        Voxel size in that order, mm.

    Returns
    -------
    dict of str to float
        The 14 features by pyradiomics' names.

    Raises
    ------
    ValueError
        If pyradiomics refuses the mask: it has less than three dimensions, or no voxel.
    """
    import SimpleITK

    # Three of the features in the paper's table are deprecated, which pyradiomics says at every call.
    with quiet(logger, "pyradiomics"):
        import radiomics
        from radiomics.featureextractor import RadiomicsFeatureExtractor

        radiomics.setVerbosity(logging.CRITICAL)
        radiomics.logger.setLevel(logging.CRITICAL)
        extractor = RadiomicsFeatureExtractor(minimumROIDimensions=3, additionalInfo=False)
        extractor.disableAllFeatures()
        extractor.enableFeaturesByName(shape=list(feature_codes()))
        # A mask without background is none to pyradiomics; it cuts the rim off again.
        image = SimpleITK.GetImageFromArray(np.pad(mask, 1).transpose(2, 1, 0).astype(np.uint8))
        image.SetSpacing(spacing_mm)
        result = extractor.execute(image, image)
    # An eigenvalue that is zero may come as a complex number without imaginary part.
    return {name: float(np.real(result[f"original_shape_{name}"])) for name in feature_codes()}
