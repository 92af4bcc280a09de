"""Resource compute: models stay loaded, in this process or in resident Ray actors, behind one interface."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

import dagster as dg

from resources.resident import ComputeUnavailableError, ModelProcessDiedError, Resident

__all__ = ["Compute", "ComputeUnavailableError", "ModelProcessDiedError", "Resident"]

logger = logging.getLogger(__name__)

_LOADED: dict[str, Callable[..., Any]] = {}
_LOADING = threading.Lock()


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
            What the model's callable takes. With ray, arrays travel through shared memory, there and back, and are
            read-only.

        Returns
        -------
        Any
            What the callable returns.

        Raises
        ------
        ComputeUnavailableError
            If the Ray cluster cannot be reached.
        ModelProcessDiedError
            If the resident actor dies during this call; the next call starts another.
        Exception
            What loading the model or the callable raises, of the same type in both kinds.
        """
        if self.kind == "in_process":
            return _loaded_here(resident)(*inputs)
        from resources.ray_models import call

        return call(resident, inputs, self.ray_address)


def _loaded_here(resident: Resident) -> Callable[..., Any]:
    with _LOADING:
        if resident.key not in _LOADED:
            logger.info("loading %s", resident.key)
            _LOADED[resident.key] = resident.load()
        return _LOADED[resident.key]
