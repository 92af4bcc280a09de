"""What takes seconds to import: once, in the process that all the others are forked from."""

import highdicom  # noqa: F401
import torch  # noqa: F401

import ct_assets.organ_seg.network
import ct_assets.run  # noqa: F401
from ct_assets.bpr_json.bpreg_import import import_inference_model

import_inference_model()
