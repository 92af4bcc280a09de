"""The chain of a collection in a process of its own, which a fault may strike and which may be killed."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dagster as dg
import torch

from ct_assets import run
from ct_assets.cli.main import folder_collection
from ct_assets.collection import Collection
from ct_assets.definitions import collection_definitions
from ct_assets.installation import resources
from ct_assets.outcome import CohortOutcome
from ct_assets.partitions import Scope, register_series
from ct_assets.run_history import reason_of
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import COHORT
from resources.series_store import SeriesStore

MODEL = "3d_lowres"
"""The fastest of the demonstration models."""

ALL = "all"
"""The whole chain of a series in one run, as a backfill makes it."""

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.faults.preload"])
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

Fault = Callable[[], None]
"""Called in the process before it works; it arranges what will go wrong."""


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit code (-9: killed), what it returned, and its log."""

    exit_code: int
    answer: Any
    log: str

    @property
    def killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL


@dataclass(frozen=True)
class Chain:
    """A collection of tiny chests, where its results go, and the environment of the processes that work on it."""

    source: Path
    out: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    model: str = "demo"

    @property
    def collection(self) -> Collection:
        segmentation = {"model": "demo", "configurations": (MODEL,), "tta": False}
        plain = folder_collection(self.source, segmentation)
        chosen = plain.organ_segmentation.model_copy(update={"model": self.model})
        return plain.model_copy(update={"organ_segmentation": chosen})

    @property
    def store(self) -> CollectionFolder:
        return CollectionFolder(self.out)

    @property
    def series_instance_uid(self) -> str:
        """The one series that is selected."""
        cohort = COHORT.read(self.store.cohort.cohort)
        [uid] = cohort.loc[cohort["selected"], "SeriesInstanceUID"]
        return str(uid)

    @property
    def series(self) -> SeriesFolder:
        return self.store.series(self.series_instance_uid)

    def to(self, out: Path) -> "Chain":
        """The same with other results."""
        return replace(self, out=out)

    def annotate(self, fault: Fault | None = None) -> Done:
        """As `ct-assets annotate` does it; the answer is its `CohortOutcome`."""
        return self.start(annotate, fault=fault).end()

    def materialize(self, *stages: str, fault: Fault | None = None) -> Done:
        """Some stages of the one selected series, each alone as in the web UI; the answer is what failed, by stage."""
        return self.start(materialize, stages, fault=fault).end()

    def start(self, work: Callable[..., Any], *arguments: Any, fault: Fault | None = None) -> "Running":
        self.out.mkdir(parents=True, exist_ok=True)
        log = self.out.with_name(f"{self.out.name}.log")
        log.unlink(missing_ok=True)
        answers, give = _FORKED.Pipe(duplex=False)
        process = _FORKED.Process(target=_in_process, args=(self, log, give, fault, work, arguments))
        process.start()
        give.close()
        return Running(process, answers, log)


@dataclass(frozen=True)
class Running:
    """A process that works."""

    process: Any
    answers: Connection
    log: Path

    @property
    def log_text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def end(self) -> Done:
        answer = None
        with suppress(EOFError):  # it was killed before it could answer
            answer = self.answers.recv()
        self.process.join(timeout=120)
        assert self.process.exitcode is not None
        return Done(self.process.exitcode, answer, self.log_text)


def given(chain: Chain) -> dict[str, dg.ConfigurableResource]:
    """The resources of a process that works on a chain."""
    store = SeriesStore(root=str(chain.home), folders={"annotations": str(chain.out)})
    return {**resources(), "series_store": store}


def _in_process(
    chain: Chain, log: Path, give: Connection, fault: Fault | None, work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    os.environ.update(chain.environment, CT_ASSETS_HOME=str(chain.home))
    settings.cache_clear()
    logging.basicConfig(filename=log, level=logging.INFO, force=True, format="%(levelname)s %(name)s: %(message)s")
    torch.set_num_threads(1)  # so little work gains nothing by more, and loses much on a busy machine
    if fault:
        fault()
    give.send(work(chain, *arguments))


def annotate(chain: Chain) -> CohortOutcome:
    with dg.DagsterInstance.ephemeral() as instance:
        return run.annotate(chain.collection, instance=instance, resources=given(chain))


def materialize(chain: Chain, stages: Sequence[str], instance: dg.DagsterInstance | None = None) -> dict[str, str]:
    scope = Scope(chain.collection)
    keys = {stage: [scope.cohort_key(stage) if stage in run.COHORT_STAGES else scope.key(stage)] for stage in stages}
    if ALL in keys:
        keys[ALL] = [scope.key(stage) for stage in run.STAGES]
    definitions = dg.Definitions.merge(
        collection_definitions(chain.collection),
        dg.Definitions(
            jobs=[dg.define_asset_job(f"{stage}_alone", selection=chosen) for stage, chosen in keys.items()],
            resources=given(chain),
            executor=dg.in_process_executor,
        ),
    )
    failed = {}
    with nullcontext(instance) if instance else dg.DagsterInstance.ephemeral() as recorded:
        for stage in stages:
            uid = None if stage in run.COHORT_STAGES else chain.series_instance_uid
            if uid:
                register_series(recorded, chain.collection, [uid])
            result = definitions.resolve_job_def(f"{stage}_alone").execute_in_process(
                instance=recorded, partition_key=uid, raise_on_error=False, run_config=_QUIET
            )
            if not result.success:
                failed[stage] = str(reason_of(result.all_events))
    return failed
