"""What is segmented and by which networks: the names that settings, tables and files share."""

from typing import Literal

Organ = Literal["esophagus", "heart", "trachea", "aorta"]
Configuration = Literal["2d", "3d_lowres", "3d_fullres"]

ORGANS: dict[int, Organ] = {1: "esophagus", 2: "heart", 3: "trachea", 4: "aorta"}
"""Label of each organ in SegTHOR's label maps, which is also its SegmentNumber."""

EXPERT = "expert"
"""Name of the expert's segmentation among the models in tables, figures and reports."""

LUNGS = "lungs"
"""Key of the lungs among what an expert drew; the other keys are organs."""
