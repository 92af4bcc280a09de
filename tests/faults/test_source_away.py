"""The DICOM files out of reach for a while: no partition is removed, the failure says where, and then all completes."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ct_assets import run
from ct_assets.cohort_table.index import header_index
from ct_assets.outcome import CohortOutcome
from ct_assets.partitions import Scope
from tests.faults.chain import Chain, annotate, materialize


def _away(source: Path) -> Path:
    return source.with_name("away")


@contextmanager
def _while_headers_are_read(source: Path) -> Iterator[None]:
    with _before("read_batches", lambda: source.rename(_away(source))):
        yield


@contextmanager
def _while_it_is_listed(source: Path) -> Iterator[None]:
    with _before("walk_files", lambda: source.rename(_away(source))):
        yield


@contextmanager
def _unmounted_while_headers_are_read(source: Path) -> Iterator[None]:
    """An empty folder stays where a file system was mounted."""

    def unmount() -> None:
        source.rename(_away(source))
        source.mkdir()

    with _before("read_batches", unmount):
        yield


@contextmanager
def _before(name: str, happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen just before a function of the header index is called."""
    function = getattr(header_index, name)

    def called(*arguments: Any, **named: Any) -> Any:
        happens()
        return function(*arguments, **named)

    setattr(header_index, name, called)
    try:
        yield
    finally:
        setattr(header_index, name, function)


@dataclass(frozen=True)
class Story:
    """What failed while the files were away, the partitions then, and whether all went well when they were back."""

    cohort_failed: str
    partitions: list[str]
    cohort_kept: bool
    ct_failed: str
    complete: bool


def _story(chain: Chain, strike: Callable[[Path], AbstractContextManager[None]]) -> Story:
    scope = Scope(chain.collection)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(chain, ["cohort_table"], instance) == {}
        before = chain.store.cohort.cohort.read_bytes()
        chain.store.cohort.instances.unlink()  # what is in the index would not be read again
        with strike(chain.source):
            cohort_failed = materialize(chain, ["cohort_table"], instance)["cohort_table"]
        partitions = list(instance.get_dynamic_partitions(str(scope.partitions.name)))
        kept = chain.store.cohort.cohort.read_bytes() == before
        ct_failed = materialize(chain, ["ct_nifti"], instance)["ct_nifti"]
        if chain.source.is_dir():
            chain.source.rmdir()
        _away(chain.source).rename(chain.source)
        complete = annotate(chain).complete
    return Story(cohort_failed, partitions, kept, ct_failed, complete)


@pytest.mark.parametrize("strike", [_while_it_is_listed, _while_headers_are_read, _unmounted_while_headers_are_read])
def test_a_source_that_goes_away_costs_no_partition_and_comes_back(undisturbed, tmp_path, strike):
    shutil.copytree(undisturbed.source, tmp_path / "dicom")
    chain = replace(undisturbed, source=tmp_path / "dicom", out=tmp_path / "out")
    done = chain.start(_story, strike).end()
    assert done.exit_code == 0, done.log
    story: Story = done.answer
    assert story.cohort_failed == (
        f"cohort_table: {chain.source} went away while it was read; bring it back and try again; nothing was changed"
    )
    assert story.partitions == [undisturbed.series_instance_uid]
    assert story.cohort_kept
    assert story.ct_failed.startswith("ct_nifti: ")
    assert str(chain.source) in story.ct_failed
    assert story.complete


def _annotate_while_it_goes(chain: Chain) -> CohortOutcome:
    """The source goes between cohort_table and the first series."""
    with _after_cohort(lambda: chain.source.rename(_away(chain.source))):
        return annotate(chain)


@contextmanager
def _after_cohort(happens: Callable[[], object]) -> Iterator[None]:
    function = run.run_or_raise

    def called(*arguments: Any) -> Any:
        result = function(*arguments)
        happens()
        return result

    run.run_or_raise = called
    try:
        yield
    finally:
        run.run_or_raise = function


def test_annotate_names_each_series_that_a_source_took_away(undisturbed, tmp_path):
    shutil.copytree(undisturbed.source, tmp_path / "dicom")
    chain = replace(undisturbed, source=tmp_path / "dicom", out=tmp_path / "out")
    [series] = chain.start(_annotate_while_it_goes).end().answer.series
    assert (series.status, series.series_instance_uid) == ("failed", undisturbed.series_instance_uid)
    assert f"folder {chain.source} does not exist" in series.reason
    _away(chain.source).rename(chain.source)
    assert chain.annotate().answer.complete
