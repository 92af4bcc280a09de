"""Models that stay loaded: what names one, and what can go wrong with the process that holds it."""

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class ComputeUnavailableError(RuntimeError):
    """The models' process cannot be reached; the message says how to start it."""


class ModelProcessDiedError(RuntimeError):
    """The process that holds a model ended while it worked for us; the next call starts another."""


@dataclass(frozen=True)
class Resident:
    """A model to keep loaded: `loader` (module:function) called with `arguments` returns the callable that predicts.

    Another `version`, such as a fingerprint of the weights, is another model, which takes the place of the one before.
    One call at a time runs in its process, so that the end of the process fails one series.
    """

    loader: str
    arguments: tuple[tuple[str, Any], ...]
    version: str = ""

    @property
    def family(self) -> str:
        """Name of the model in any version: equal for equal loader and arguments."""
        return f"{self.loader.rpartition(':')[2]}-{_digest([self.loader, list(self.arguments)])}"

    @property
    def key(self) -> str:
        """Name of the loaded model: equal for equal loader, arguments and version."""
        return f"{self.family}-{_digest(self.version)}"

    @property
    def device(self) -> str:
        """Device that the loader is asked to use: auto, cpu or cuda; cpu if it takes none."""
        return str(dict(self.arguments).get("device", "cpu"))

    def load(self) -> Callable[..., Any]:
        """Load the model here and now."""
        module, _, function = self.loader.partition(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)(**dict(self.arguments))
        return loaded


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
