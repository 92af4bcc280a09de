"""The asset on a real instance: what it does to the partitions."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from ct_assets.cohort_table.asset import cohort_table
from ct_assets.collection import Collection
from ct_assets.partitions import Scope, register_series
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from resources.warehouse import Warehouse

WAREHOUSE = Warehouse()


@pytest.fixture
def source(shared_data, tmp_path) -> Path:
    folder = tmp_path / "dicom"
    shutil.copytree(shared_data / "real/lung_ct_crops/pat_2", folder / "pat_2")
    return folder


@pytest.fixture
def scope(source) -> Scope:
    return Scope(
        Collection.model_validate(
            {
                "name": "mine",
                "title": "Mine",
                "demonstration": True,
                "source": {"kind": "folder", "path": str(source)},
                "organ_segmentation": {"model": "demo"},
                "body_part_regression": {"model": "demo"},
            }
        )
    )


def _materialize(scope: Scope, instance: dg.DagsterInstance, store: Path) -> dict[str, object]:
    resources = {"dicom_source": DicomSource(), "series_store": SeriesStore(root=str(store)), "warehouse": WAREHOUSE}
    result = dg.materialize([cohort_table(scope)], instance=instance, resources=resources)
    (event,) = result.asset_materializations_for_node("mine__cohort_table")
    return {name: value.value for name, value in event.metadata.items()}


def test_partitions_are_only_added_while_something_cannot_be_read(scope, source, tmp_path):
    instance = dg.DagsterInstance.ephemeral()
    register_series(instance, scope.collection, ["1.2.3"])
    (source / "broken.dcm").symlink_to("nowhere.dcm")
    told = _materialize(scope, instance, tmp_path)
    assert (told["partitions_added"], told["partitions_removed"]) == (1, 0)
    assert told["partitions_kept"] == "1: none is removed while 1 files or folders cannot be read"
    assert instance.has_dynamic_partition("mine_series", "1.2.3")
    (source / "broken.dcm").unlink()
    told = _materialize(scope, instance, tmp_path)
    assert (told["partitions_removed"], told["partitions_kept"]) == (1, "none")
    assert not instance.has_dynamic_partition("mine_series", "1.2.3")


def test_a_partition_with_an_unfinished_run_is_kept_and_told(scope, tmp_path):
    instance = dg.DagsterInstance.ephemeral()
    register_series(instance, scope.collection, ["1.2.3"])
    run = dg.DagsterRun(job_name="chain", status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "1.2.3"})
    instance.add_run(run)
    assert _materialize(scope, instance, tmp_path)["partitions_kept"] == "1: runs of them are not finished"
    instance.report_run_canceled(run)
    assert _materialize(scope, instance, tmp_path)["partitions_removed"] == 1
