"""What an upgrade of a collection came to: counted, and with the remedy for what it could not migrate."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ct_assets.step_name import STAGES
from ct_assets.store.paths import CollectionFolder
from ct_assets.upgrade.kinds import ANNOTATE, stored_files
from ct_assets.upgrade.migrate import Result, State, upgrade_file


@dataclass(frozen=True)
class Remedy:
    """What to make again: an asset, for the whole collection or for some series, and why."""

    asset: str
    reasons: tuple[str, ...]
    series: tuple[str, ...]

    @property
    def per_series(self) -> bool:
        """Whether it is made per series."""
        return self.asset in {*STAGES, ANNOTATE}


@dataclass(frozen=True)
class Upgrade:
    """What became of the files of a collection."""

    store: CollectionFolder
    results: tuple[Result, ...]

    def count(self, state: State) -> int:
        """Return how many files are in a state."""
        return sum(result.state is state for result in self.results)

    def of(self, state: State) -> Iterator[Result]:
        """Return the results of files in a state."""
        return (result for result in self.results if result.state is state)

    def migrated_kinds(self) -> dict[str, int]:
        """Return how many files of which kind were migrated, by kind and version."""
        return dict(
            Counter(
                f"{result.file.kind.name} {result.version} -> {result.file.kind.version}"
                for result in self.of(State.MIGRATED)
            )
        )

    def remedies(self) -> list[Remedy]:
        """Return what must be made again, in the order of the pipeline."""
        order = ("cohort_table", *STAGES, ANNOTATE, "cohort_report", "sr_validation")
        found = list(self.of(State.NEEDS_COMPUTATION))
        return [_remedy(asset, mine) for asset in order if (mine := [one for one in found if one.file.asset == asset])]


def upgrade_store(store: CollectionFolder, *, dry_run: bool = False, progress: Callable[[int, int], None]) -> Upgrade:
    """Bring every file of a collection to the version of today, and count what could not be.

    Parameters
    ----------
    store : CollectionFolder
        The collection's folder.
    dry_run : bool, default False
        Write nothing.
    progress : callable
        Told how many files are done, and of how many.
    """
    files = list(stored_files(store))
    results = []
    for done, file in enumerate(files, 1):
        results.append(upgrade_file(file, dry_run=dry_run))
        progress(done, len(files))
    return Upgrade(store, tuple(results))


def _remedy(asset: str, results: Sequence[Result]) -> Remedy:
    reasons = dict.fromkeys(f"{one.file.kind.name} {one.version}: {one.reason}" for one in results)
    return Remedy(asset, tuple(reasons), tuple(sorted({one.file.series_instance_uid for one in results} - {""})))
