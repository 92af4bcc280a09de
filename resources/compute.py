"""Resource compute: models stay loaded, in this process or in resident Ray actors, behind one interface."""

import hashlib
import importlib
import json
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

logger = logging.getLogger(__name__)

_RAY_NAMESPACE = "ct_assets"
_CONNECT_SECONDS = 5
_LOADED: dict[str, Callable[..., Any]] = {}
_LOADING = threading.Lock()


class ComputeUnavailableError(RuntimeError):
    """The models' process cannot be reached; the message says how to start it."""


@dataclass(frozen=True)
class Resident:
    """A model to keep loaded: `loader` (module:function) called with `arguments` returns the callable that predicts.

    Another `version`, such as a fingerprint of the weights, is another model.
    """

    loader: str
    arguments: tuple[tuple[str, Any], ...]
    version: str = ""

    @property
    def key(self) -> str:
        """Name of the loaded model: equal for equal loader and arguments."""
        content = json.dumps([self.loader, list(self.arguments), self.version], sort_keys=True)
        return f"{self.loader.rpartition(':')[2]}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def load(self) -> Callable[..., Any]:
        """Load the model here and now."""
        module, _, function = self.loader.partition(":")
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)(**dict(self.arguments))
        return loaded


class Compute(dg.ConfigurableResource):
    """Runs models that stay loaded between series."""

    kind: Literal["in_process", "ray"] = "in_process"
    ray_address: str = "auto"

    def run(self, resident: Resident, *inputs: Any) -> Any:
        """Run a model on inputs; it is loaded by the first call and stays.

        Parameters
        ----------
        resident : Resident
            Which model.
        *inputs : Any
            What the model's callable takes; arrays travel through shared memory with ray.

        Returns
        -------
        Any
            What the callable returns.

        Raises
        ------
        ComputeUnavailableError
            If the Ray cluster cannot be reached.
        """
        if self.kind == "in_process":
            return _loaded_here(resident)(*inputs)
        return self._run_on_ray(resident, inputs)

    def _run_on_ray(self, resident: Resident, inputs: tuple[Any, ...]) -> Any:
        import ray

        if not ray.is_initialized():
            try:
                _reach(self.ray_address)
                ray.init(address=self.ray_address, namespace=_RAY_NAMESPACE, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, OSError) as error:
                message = (
                    f"no Ray cluster at {self.ray_address!r} ({error}); start one with: "
                    "ray start --head --include-dashboard=false --disable-usage-stats"
                )
                raise ComputeUnavailableError(message) from error
        actor_class = ray.remote(_ResidentActor)
        devices = {"num_gpus": 0.1} if ray.cluster_resources().get("GPU") else {"num_cpus": 0}
        actor = actor_class.options(
            name=resident.key, namespace=_RAY_NAMESPACE, lifetime="detached", get_if_exists=True, **devices
        ).remote(resident)
        logger.info("running %s in a resident actor", resident.key)
        references = [ray.put(value) for value in inputs]
        return ray.get(actor.run.remote(*references))


def _reach(address: str) -> None:
    """Fail at once where nothing listens; Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()


class _ResidentActor:
    """Holds one loaded model in a process of its own."""

    def __init__(self, resident: Resident) -> None:
        self._predict = resident.load()

    def run(self, *inputs: Any) -> Any:
        return self._predict(*inputs)


def _loaded_here(resident: Resident) -> Callable[..., Any]:
    with _LOADING:
        if resident.key not in _LOADED:
            logger.info("loading %s", resident.key)
            _LOADED[resident.key] = resident.load()
        return _LOADED[resident.key]
