"""A YAML file from outside as plain values: what is too large, too deep or no text is refused before it is made."""

from pathlib import Path
from typing import Any, Final

import yaml

from ct_assets.yaml_model import CollectionError

MOST_BYTES: Final = 2**18
"""Largest file that is read, in bytes: a hundred times an ordinary collection."""

MOST_VALUES: Final = 10_000
"""Most keys and values, those behind an alias counted wherever it stands: a page of aliases of aliases can stand for
more than fit any memory."""

_MOST_CHARACTERS = 500  # of a message, which may quote the file


def read_yaml(path: Path) -> Any:
    """Read a YAML file as mappings, lists and scalars; nothing else is made of it.

    Parameters
    ----------
    path : Path
        YAML file.

    Raises
    ------
    CollectionError
        If the file cannot be read, is too large, or is no YAML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error})"
        raise CollectionError(message) from error
    if len(content) > MOST_BYTES:
        message = f"{path}: is larger than {MOST_BYTES} bytes, which no collection is; is it another file?"
        raise CollectionError(message)
    try:
        return _parsed(text)
    except RecursionError as error:
        message = f"{path}: is not valid YAML: nested deeper than any collection"
        raise CollectionError(message) from error
    except Exception as error:  # for values that do not fit their type, PyYAML lets through what Python raises
        message = f"{path}: is not valid YAML: {str(error)[:_MOST_CHARACTERS]}"
        raise CollectionError(message) from error


def _parsed(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check(root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check(root: yaml.Node) -> None:
    """Count keys and values as they would be written without aliases, before any is made."""
    waiting, values = [root], 0
    while waiting:
        node = waiting.pop()
        values += 1
        if values > MOST_VALUES:
            message = f"it has more than {MOST_VALUES} keys and values, those behind aliases included"
            raise ValueError(message)
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif any(character == "\0" or "\ud800" <= character <= "\udfff" for character in node.value):
            message = f"it has a character that is in no text{node.start_mark}"
            raise ValueError(message)
