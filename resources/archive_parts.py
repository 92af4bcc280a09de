"""Find the models of an archive among its files: each in the one folder that has it, and of that what it needs."""

import zipfile
from collections.abc import Sequence

from resources.archive_members import ModelArchiveError
from resources.model_catalogue import CatalogueModel
from resources.model_layout import PartLayout

_SHOWN = 5
_FOREIGN = "__MACOSX"  # what the Macintosh adds to archives, with the same names
_DEPTHS = (1, 2)  # a file lies in the folder of its model, or in that of a fold

_Path = tuple[str, ...]


def chosen_members(
    members: dict[str, zipfile.ZipInfo], model: CatalogueModel, label: str
) -> dict[str, zipfile.ZipInfo]:
    """Return the files to install, by their POSIX path below the model's folder.

    Parameters
    ----------
    members : dict
        All files of the archive by name, checked.
    model : CatalogueModel
        What is looked for; one of its parts at least must be there.
    label : str
        What messages call the archive.

    Raises
    ------
    ModelArchiveError
        If the archive has none of the parts, one of them more than once, or one that lacks a file.
    """
    files = {path: name for name in members if _FOREIGN not in (path := tuple(name.split("/")))}
    chosen = {
        f"{part.into}/{name}": members[member]
        for part in model.parts
        for name, member in _files(files, part, model, label).items()
        if part.needs(name)
    }
    if not chosen:
        signs = ", ".join(part.sign for part in model.parts)
        message = f"is not the model {model.name}: it has no {signs}, but {_shown(sorted(members))}"
        raise _unusable(label, message)
    return chosen


def _files(files: dict[_Path, str], part: PartLayout, model: CatalogueModel, label: str) -> dict[str, str]:
    """Return the members below the one folder that a part is in, by their path below it; none if it is nowhere."""
    found = _below(files, _places(files, part))
    missing = {place: part.missing(names) for place, names in found.items()}
    whole = [place for place in found if not missing[place]]
    # The name of a folder says what it is, also where a file is missing; a single file does not.
    rivals = list(found) if part.inside else whole
    if len(rivals) > 1:
        places = _shown([_folder(place) for place in rivals])
        raise _unusable(label, f"has the model {model.name} more than once: {places}")
    if found and not whole:
        place = min(found, key=lambda place: len(missing[place]))
        lacking = _shown(missing[place])
        message = f"is not the model {model.name}: {lacking} is missing in its folder {_folder(place)}"
        raise _unusable(label, message)
    return found[whole[0]] if whole else {}


def _places(files: dict[_Path, str], part: PartLayout) -> list[_Path]:
    """Return every folder that has a file of a part, sorted."""
    ending = tuple(part.inside.split("/")) if part.inside else ()
    places = set()
    for path in files:
        for depth in _DEPTHS:
            place = path[:-depth]
            if len(path) >= depth and place[len(place) - len(ending) :] == ending and part.needs(_name(path[-depth:])):
                places.add(place)
    return sorted(places)


def _below(files: dict[_Path, str], places: list[_Path]) -> dict[_Path, dict[str, str]]:
    """Return the members below each of several folders, by their path below it."""
    found: dict[_Path, dict[str, str]] = {place: {} for place in places}
    for path, member in files.items():
        for length in range(len(path)):
            if (place := path[:length]) in found:
                found[place][_name(path[length:])] = member
    return found


def _name(path: _Path) -> str:
    return "/".join(path)


def _folder(place: _Path) -> str:
    return f"{_name(place) or '.'}/"


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) + more) or "no files"


def _unusable(label: str, reason: str) -> ModelArchiveError:
    return ModelArchiveError(f"{label}: {reason}; nothing was installed")
