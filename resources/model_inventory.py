"""What models there are: in the model store, and known but not installed."""

from dataclasses import dataclass
from pathlib import Path

from resources.model_catalogue import KNOWN_KINDS, remedy
from resources.model_files import model_parts
from resources.model_source import read_source
from resources.model_store import ModelStore


@dataclass(frozen=True)
class ListedModel:
    """A model, installed or not.

    `part` is its folder below the model's, None if it is not installed, as `size` and `digest` are then. `note` says
    what there is to do, or where it came from.
    """

    name: str
    kind: str
    part: str | None
    size: int | None
    digest: str | None
    demonstration: bool
    note: str


def list_models(root: Path) -> list[ListedModel]:
    """Return every model in the store, and those that are known but not installed, sorted by name.

    Parameters
    ----------
    root : Path
        Folder of the model store, which need not exist.
    """
    names = {path.name for path in root.iterdir() if _is_model_folder(path)} if root.is_dir() else set()
    return [listed for name in sorted(names | set(KNOWN_KINDS)) for listed in _listed(root, name)]


def _is_model_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _listed(root: Path, name: str) -> list[ListedModel]:
    parts = model_parts(root / name)
    if not parts:
        kind = KNOWN_KINDS.get(name, "unknown")
        there = "incomplete; " if (root / name).is_dir() else ""
        return [ListedModel(name, kind, None, None, None, demonstration=name == "demo", note=f"{there}{remedy(name)}")]
    demonstration = bool(ModelStore(root=str(root)).card(name).get("demonstration", False))
    listed = []
    for part in parts:
        digest = part.digest
        note = _origin(root / name, name, part.name, digest)
        listed.append(ListedModel(name, part.kind, part.name, part.size, digest, demonstration, note))
    return listed


def _origin(folder: Path, name: str, part: str, digest: str) -> str:
    source = read_source(folder)
    if source is None:
        return ""
    if source.weights_sha256.get(part) != digest:
        return f"not the weights that were installed; again with: ct-assets models fetch {name} --again"
    if source.doi is None:
        return f"from {source.file}, not compared with Zenodo"
    return f"version {source.version}, doi:{source.doi}" if source.version else f"doi:{source.doi}"
