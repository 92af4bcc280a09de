"""Segment a folder of NIfTI files in one process, as nnUNet_predict takes it: the model is loaded once.

Called by the benchmarks: `python -m benchmarks.segment_folder MODEL IN OUT tta|plain STEP`. Writes <case>.nii.gz and
stages.json, the seconds of each stage by case.
"""

import json
import sys
from pathlib import Path

from ct_assets.ct_nifti.volume import load_scan, load_spacing, save_label_map
from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.stopwatch import Stopwatch


def main(model: str, source: str, target: str, tta: str, step_size: str) -> None:
    """Segment all files of the folder."""
    network = NnunetModel(model, None, tta=tta == "tta", step_size=float(step_size), precision="mixed", device="auto")
    seconds = {}
    for path in sorted(Path(source).iterdir()):
        case, stages = path.name.removesuffix("_0000.nii.gz"), Stopwatch()
        volume, spacing_mm = load_scan(path)[0], load_spacing(path)
        stages.end("read")
        prediction = network(volume, spacing_mm)
        stages.start()
        save_label_map(prediction.labels, path, Path(target) / f"{case}.nii.gz")
        stages.end("write")
        seconds[case] = stages.seconds | prediction.seconds
    (Path(target) / "stages.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
