"""Pickles of models come from outside: they are read through an allow-list of types, and nothing else is run."""

import io
import pickle
from pathlib import Path
from typing import Any

_ALLOWED = {
    "builtins": {"set", "frozenset", "complex", "slice", "int", "float", "bool", "str", "list",
                 "dict", "tuple"},
    "collections": {"OrderedDict", "defaultdict"},
    "numpy": {"dtype", "ndarray", "float32", "float64", "int32", "int64", "bool_"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "numpy._core.numeric": {"_frombuffer"},
    "_codecs": {"encode"},
}  # fmt: skip


LARGEST_BYTES = 1 << 26
"""Most bytes of a pickle that is read."""


class UnsafePickleError(pickle.UnpicklingError):
    """A pickle that asks for a type which is not on the allow-list; the message names it and the file."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        message = f"{self._path}: refused, it asks for {module}.{name}; a model file holds only numbers and names"
        raise UnsafePickleError(message)


def load_pickle(path: Path) -> Any:
    """Read a pickle of plain Python and numpy values.

    Parameters
    ----------
    path : Path
        plans.pkl or model.pkl of an nnU-Net v1 model.

    Raises
    ------
    UnsafePickleError
        If it asks for anything else; nothing of it has run then.
    """
    if path.stat().st_size > LARGEST_BYTES:
        message = f"{path}: refused, it has {path.stat().st_size} bytes; plans have at most {LARGEST_BYTES}"
        raise UnsafePickleError(message)
    return _Unpickler(path.read_bytes(), path).load()
