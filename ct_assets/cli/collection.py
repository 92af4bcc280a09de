"""How commands name a collection: its name in collections/, or the folder that annotate wrote it to."""

import re
from pathlib import Path

import click

from ct_assets.collection import Collection, load_collection
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder


def named_collection(name: str) -> Collection:
    """Return the collection of a YAML file.

    Parameters
    ----------
    name : str
        Name of the file, without its ending.

    Raises
    ------
    ClickException
        If there is none of that name.
    """
    path = settings().collections / f"{name}.yaml"
    if not re.fullmatch(r"[a-z0-9_]+", name) or not path.is_file():
        known = ", ".join(sorted(file.stem for file in settings().collections.glob("*.yaml")))
        message = f"there is no collection {name}; there are: {known}"
        raise click.ClickException(message)
    return load_collection(path)


def collection_store(collection: Collection) -> CollectionFolder:
    """Return the folder of a collection's results.

    Parameters
    ----------
    collection : Collection
        The collection.
    """
    return CollectionFolder(Path(settings().home) / collection.name)


def stored_collection(name: str) -> CollectionFolder:
    """Return the results of a collection that has some.

    Parameters
    ----------
    name : str
        Name of a collection, or folder given to annotate --out.

    Raises
    ------
    ClickException
        If there are none.
    """
    for path in (Path(settings().home) / name, Path(name).expanduser()):
        if (path / "cohort").is_dir() or (path / "series").is_dir():
            return CollectionFolder(path)
    message = f"{name}: no collection with results in {settings().home}, and no folder of annotate --out"
    raise click.ClickException(message)


def stored_collections() -> list[CollectionFolder]:
    """Return the collections below the root that have results.

    Raises
    ------
    ClickException
        If there is none.
    """
    home = Path(settings().home)
    folders = sorted(path for path in home.iterdir() if (path / "series").is_dir()) if home.is_dir() else []
    if not folders:
        message = f"no collection with results in {home}"
        raise click.ClickException(message)
    return [CollectionFolder(path) for path in folders]
