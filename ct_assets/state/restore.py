"""Tell Dagster anew what the store holds: partitions, materializations, and the outcomes of checks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation

from ct_assets.collection import Collection
from ct_assets.partitions import Scope, register_series, scopes, shard_of
from ct_assets.state.events import BATCH, AssetEvent, report_events
from ct_assets.state.known import Known
from ct_assets.state.provenance_tags import Versions
from ct_assets.state.stored import DamagedFileError, cohort_files, series_files
from ct_assets.state.stored_checks import cohort_check_results, series_results
from ct_assets.step_name import STAGES
from ct_assets.store.tables import COHORT
from resources.series_store import SeriesStore

OnDone = Callable[[str, int, int], None]
"""Told what is being restored, how many series are done, and of how many."""


@dataclass
class Restored:
    """What was told to Dagster of a collection; ``damaged`` names files that are not whole, and their remedy."""

    partitions: int = 0
    materializations: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    known: int = 0
    damaged: list[str] = field(default_factory=list)


def restore(
    collection: Collection,
    instance: dg.DagsterInstance,
    series_store: SeriesStore,
    assets: Iterable[dg.AssetsDefinition],
    on_done: OnDone = lambda _asset, _done, _of_all: None,
) -> Restored:
    """Tell Dagster what the store holds of a collection; what Dagster knows already is left as it is.

    Parameters
    ----------
    collection : Collection
        The collection.
    instance : DagsterInstance
        Where it is to be known.
    series_store : SeriesStore
        Where its files are.
    assets : iterable of AssetsDefinition
        Its assets, for their versions.
    on_done : callable, optional
        Told about progress.
    """
    restored = Restored()
    folder = series_store.collection(collection.name).cohort
    parts = scopes(collection)
    work = _Work(collection, instance, series_store, Versions(assets), restored)
    if not work.cohort("cohort_table", parts[0]):
        if not restored.damaged:
            restored.damaged.append(f"{folder.cohort} is missing; run ct-assets cohort {collection.name} first")
        return restored
    cohort = COHORT.read(folder.cohort)
    selected = sorted(cohort.loc[cohort["selected"], "SeriesInstanceUID"])
    restored.partitions = register_series(instance, collection, selected, remove=False).added
    for asset in STAGES:
        done = 0
        for scope in parts:
            mine = [uid for uid in selected if shard_of(collection, uid) == scope.shard]
            for batch in _batches(mine):
                work.series(asset, scope, batch)
                done += len(batch)
                on_done(asset, done, len(selected))
    for asset in ("cohort_report", "sr_validation"):
        work.cohort(asset, parts[0])
    return restored


@dataclass(frozen=True)
class _Work:
    collection: Collection
    instance: dg.DagsterInstance
    store: SeriesStore
    versions: Versions
    restored: Restored

    def series(self, asset: str, scope: Scope, uids: list[str]) -> None:
        """Report an asset of some series, then the outcomes of its checks on what was reported."""
        key, known = scope.key(asset), Known(self.instance)
        made = known.materialized(key, uids)
        pointers = {dep: known.pointers(dep, uids) for dep in self.versions.inputs(key)}
        events: list[AssetEvent] = []
        whole: list[str] = []
        for uid in uids:
            folder = self.store.series(self.collection.name, uid)
            files = self._files(partial(series_files, asset, folder, self.collection))
            if files:
                whole.append(uid)
            if files and uid not in made:
                inputs = {dep: of[uid] for dep, of in pointers.items() if uid in of}
                events.append(self._materialization(key, files, inputs, uid))
        report_events(self.instance, events)
        self._count(asset, len(events), len(whole) - len(events))
        targets = known.materialized(key, whole)
        results = (
            (uid, result)
            for uid in whole
            for result in self._readable(series_results(asset, scope, self.store, uid), uid)
        )
        self._report_checks(known, key, results, targets)

    def cohort(self, asset: str, scope: Scope) -> bool:
        """Report an asset of the whole collection and its checks, and return whether its files are whole."""
        key, known = scope.cohort_key(asset), Known(self.instance)
        files = self._files(lambda: cohort_files(asset, self.store.collection(self.collection.name).cohort))
        if not files:
            return False
        target = known.latest(key)
        if target is None:
            pointers = {dep: known.latest(dep) for dep in self.versions.inputs(key)}
            inputs = {dep: pointer for dep, pointer in pointers.items() if pointer is not None}
            report_events(self.instance, [self._materialization(key, files, inputs, None)])
            target = known.latest(key)
            self._count(asset, 1, 0)
        else:
            self._count(asset, 0, 1)
        results = ((None, result) for result in self._readable(cohort_check_results(asset, scope, self.store), asset))
        self._report_checks(known, key, results, {} if target is None else {None: target})
        return True

    def _files(self, find: Callable[[], list[Path]]) -> list[Path]:
        try:
            return find()
        except DamagedFileError as error:
            self.restored.damaged.append(str(error))
            return []

    def _readable(self, results: Iterator[dg.AssetCheckResult], what: str) -> Iterator[dg.AssetCheckResult]:
        """Yield the results, up to one whose file turns out not to be readable."""
        try:
            yield from results
        except (OSError, ValueError, LookupError) as error:
            self.restored.damaged.append(f"{what}: checks cannot be told: {error}")

    def _materialization(
        self, key: dg.AssetKey, files: list[Path], inputs: Mapping[dg.AssetKey, int], uid: str | None
    ) -> dg.AssetMaterialization:
        metadata: dict[str, dg.MetadataValue] = {
            "restored": dg.MetadataValue.bool(True),
            "folder": dg.MetadataValue.path(str(files[0].parent)),
            "made": dg.MetadataValue.timestamp(max(path.stat().st_mtime for path in files)),
        }
        return dg.AssetMaterialization(key, metadata=metadata, partition=uid, tags=self.versions.tags(key, inputs))

    def _report_checks(
        self,
        known: Known,
        key: dg.AssetKey,
        results: Iterable[tuple[str | None, dg.AssetCheckResult]],
        targets: Mapping[str | None, int],
    ) -> None:
        evaluated: dict[str, set[str | None]] = {}
        events: list[AssetEvent] = []
        for uid, result in results:
            name = str(result.check_name)
            if name not in evaluated:
                evaluated[name] = known.evaluated(dg.AssetCheckKey(key, name))
            if uid in evaluated[name] or uid not in targets:
                continue
            events.append(
                AssetCheckEvaluation(
                    asset_key=key,
                    check_name=name,
                    passed=result.passed,
                    metadata={"restored": True, **result.metadata},
                    severity=result.severity,
                    partition=uid,
                    target_materialization_data=known.target(targets[uid]),
                )
            )
        report_events(self.instance, events)
        self.restored.checks += len(events)

    def _count(self, asset: str, new: int, known: int) -> None:
        self.restored.materializations[asset] = self.restored.materializations.get(asset, 0) + new
        self.restored.known += known


def _batches(uids: list[str]) -> Iterator[list[str]]:
    rest = iter(uids)
    while batch := list(islice(rest, BATCH)):
        yield batch
