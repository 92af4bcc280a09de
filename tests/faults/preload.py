"""What takes seconds to import: once, in the process that all the others are forked from."""

import importlib
import pkgutil

import ct_assets
from ct_assets.bpr_json.bpreg_import import import_inference_model

for module in pkgutil.walk_packages(ct_assets.__path__, "ct_assets."):
    importlib.import_module(module.name)
import_inference_model()
