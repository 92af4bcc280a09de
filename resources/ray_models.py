"""Calls of resident models: one named Ray actor per model serves all runs, and is brought back when it has died."""

import contextlib
import logging
import socket
import time
from typing import Any, Final

import ray
from ray.exceptions import AuthenticationError, GetTimeoutError, OutOfMemoryError, RayActorError, RayTaskError

from resources.resident import ComputeUnavailableError, ModelProcessDiedError, Resident
from resources.resident_actor import CONTROL, Begun, OfNoMoreUse, ResidentActor, State

logger = logging.getLogger(__name__)

NAMESPACE: Final = "ct_assets"
"""Ray namespace of the models' names."""

_CONNECT_SECONDS: Final = 5
_ATTEMPTS: Final = 5  # processes that may die one after the other before they begin our work
_PAUSE_SECONDS: Final = 0.5  # for Ray to notice a death
_GPU_SHARE: Final = 0.01  # shows the GPU; Ray does not divide its memory, a share only limits how many models there are


class _NotBegunError(Exception):
    """The process died before it began the work."""


def call(resident: Resident, inputs: tuple[Any, ...], address: str) -> Any:
    """Have the process of a model work on inputs.

    Parameters
    ----------
    resident : Resident
        Which model; its process is started if there is none.
    inputs : tuple
        What the model's callable takes.
    address : str
        Ray cluster.

    Returns
    -------
    Any
        What the callable returns.

    Raises
    ------
    ComputeUnavailableError
        If the Ray cluster cannot be reached.
    ModelProcessDiedError
        If the process dies during the work. Where it dies before, by the fault of another series or because it was
        ending, the work is given to a new one.
    Exception
        What loading the model or the callable raises.
    """
    _connect(address)
    references = [ray.put(value) for value in inputs]
    attempt = 1
    while True:
        try:
            return _attempt(resident, references)
        except _NotBegunError as error:
            if attempt == _ATTEMPTS:
                message = (
                    f"the process of the model {resident.key} ended {_ATTEMPTS} times before it began to work on this "
                    "series; materialize the series again when the cause is gone"
                )
                raise ModelProcessDiedError(message) from error.__cause__
            logger.info("the process of %s has ended; it is started anew", resident.key)
        time.sleep(_PAUSE_SECONDS * attempt)
        attempt += 1


def states(address: str) -> dict[str, State]:
    """Tell what the resident models have done.

    Parameters
    ----------
    address : str
        Ray cluster.

    Returns
    -------
    dict
        State of each model's process, by the key of the model; those that end meanwhile are left out.
    """
    _connect(address)
    found = {}
    for name in ray.util.list_named_actors():
        with contextlib.suppress(ValueError, RayActorError, GetTimeoutError):
            found[name] = ray.get(
                ray.get_actor(name).state.options(concurrency_group=CONTROL).remote(), timeout=_CONNECT_SECONDS
            )
    return found


def _attempt(resident: Resident, references: list[Any]) -> Any:
    """Call the actor once; what it yields is a `Begun`, then the answer."""
    begun: Begun | None = None
    try:
        actor = _actor(resident)
        for reference in actor.run.options(num_returns="streaming").remote(*references):
            value = ray.get(reference)
            if isinstance(value, OfNoMoreUse):
                _end(actor)
                continue
            if not isinstance(value, Begun):
                return value
            begun = value
            first = ", which loads the model first" if begun.loads else ""
            logger.info(
                "running %s in a resident actor%s: process %d, log %s", resident.key, first, begun.pid, begun.log
            )
    except RayTaskError as error:
        raise error.cause from error
    except (RayActorError, OutOfMemoryError) as error:
        if begun is None:
            raise _NotBegunError from error
        message = (
            f"the process of the model {resident.key} (pid {begun.pid}) ended while it worked on this series: killed, "
            f"crashed, or out of memory; materialize the series again, which starts it anew; its log is {begun.log}"
        )
        raise ModelProcessDiedError(message) from error
    _end(actor)  # it takes no more calls, and the run that should have ended it may have been terminated
    raise _NotBegunError


def _end(actor: Any) -> None:
    actor.end.options(concurrency_group=CONTROL).remote()


def _actor(resident: Resident) -> Any:
    """Return the actor of a model; detached, so that it outlives the run that is the first to call it."""
    on_gpu = resident.device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0
    return (
        ray.remote(concurrency_groups={CONTROL: 2})(ResidentActor)
        .options(
            name=resident.key,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_concurrency=1,  # the others wait outside, and are not lost with the process
            num_cpus=0,  # Ray would reserve a core for each model as soon as it is given a share of a GPU
            num_gpus=_GPU_SHARE if on_gpu else 0,
        )
        .remote(resident)
    )


def _connect(address: str) -> None:
    if ray.is_initialized():
        return
    try:
        _reach(address)
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
    except (AuthenticationError, OSError) as error:  # refused without the right token is a ConnectionError too
        message = (
            f"no Ray cluster at {address!r}, or one that asks for another token ({error}); start one with: "
            "ray start --head --include-dashboard=false --disable-usage-stats; of one that make ui started the token "
            "is in the file ray_token of its state folder: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to it"
        )
        raise ComputeUnavailableError(message) from error


def _reach(address: str) -> None:
    """Fail at once where nothing listens; Ray itself would go on trying for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
