"""Archives like the one that holds Task055_SegTHOR: what nnU-Net v1 exports, with all that is not installed."""

import zipfile
from pathlib import Path

from resources.model_catalogue import CATALOGUE
from resources.model_files import CONFIGURATIONS, TRAINER_FOLDER
from tests.resources.model_archives import zipped

SEGTHOR = CATALOGUE["segthor"]
FIRST, SECOND = SEGTHOR.records
TRAINER = TRAINER_FOLDER.as_posix()
CASCADE = "Task055_SegTHOR/nnUNetTrainerV2CascadeFullRes__nnUNetPlansv2.1"
ENSEMBLE = "ensemble_2d__nnUNetTrainerV2__nnUNetPlansv2.1--3d_fullres__nnUNetTrainerV2__nnUNetPlansv2.1"
WEIGHTS = "model_final_checkpoint.model"
FOLDS = (0, 1, 2, 3, 4)

Members = dict[str | zipfile.ZipInfo, bytes]


def needed(configurations: tuple[str, ...] = CONFIGURATIONS, folds: tuple[int, ...] = FOLDS) -> Members:
    """Return what is installed, of content that no network can load: each file holds its own name."""
    files = {}
    for configuration in configurations:
        folder = f"{configuration}/{TRAINER}"
        names = ["plans.pkl", "postprocessing.json"]
        names += [f"fold_{fold}/{WEIGHTS}{end}" for fold in folds for end in ("", ".pkl")]
        files |= {f"{folder}/{name}": f"{folder}/{name}".encode() for name in names}
    return files


def copied(models: Path) -> Members:
    """Return the demonstration models as if they had several folds, each a copy of theirs."""
    files = {}
    for configuration in CONFIGURATIONS:
        folder = f"{configuration}/{TRAINER}"
        for path in sorted((models / "nnUNet" / folder).rglob("*.*")):
            if path.is_file() and path.name != "model_card.json":
                name = path.relative_to(models / "nnUNet").as_posix()
                names = [name.replace("fold_0", f"fold_{fold}") for fold in FOLDS] if "fold_0" in name else [name]
                files |= dict.fromkeys(names, path.read_bytes())
    return files


def beside(configurations: tuple[str, ...] = CONFIGURATIONS, folds: tuple[int, ...] = FOLDS) -> Members:
    """Return what is in such an archive and is not installed."""
    files = {f"{path}/": b"" for path in ("2d", f"2d/{TRAINER}", f"2d/{TRAINER}/fold_0", "ensembles")}
    for folder in (f"3d_cascade_fullres/{CASCADE}", *(f"{name}/{TRAINER}" for name in configurations)):
        names = ["debug.json", "progress.png", "network_architecture.pdf", "training_log_2020_1_1.txt"]
        names += [f"model_best.model{end}" for end in ("", ".pkl")] + ["validation_raw/summary.json"]
        files |= {f"{folder}/fold_{fold}/{name}": b"not needed" for fold in folds for name in names}
    cascade = ["plans.pkl", "postprocessing.json", f"fold_0/{WEIGHTS}", f"fold_0/{WEIGHTS}.pkl"]
    files |= {f"3d_cascade_fullres/{CASCADE}/{name}": b"not needed" for name in cascade}
    return {**files, f"ensembles/Task055_SegTHOR/{ENSEMBLE}/postprocessing.json": b"{}", "readme.txt": b""}


def exported(files: Members, leading: str = "") -> bytes:
    """Return a ZIP archive of these files and those beside them, below a leading folder."""
    return zipped({f"{leading}{name}": content for name, content in {**beside(), **files}.items()})
