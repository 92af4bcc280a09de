"""Sensor new_release: on the installed metadata of the Imaging Data Commons, and on a BigQuery on loopback."""

from importlib.metadata import version

import dagster as dg
import pytest

from ct_assets.collection import Collection
from ct_assets.partitions import Scope
from resources.warehouse import Warehouse
from sensors.new_release import new_release_sensor
from tests.resources.bigquery_server import BigQueryServer, bigquery_server

__all__ = ["bigquery_server"]


def _tick(scope: Scope, kind: str, cursor: str | None, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
    source = {"kind": kind, "collection_id": "nlst", "mirror": "mirror"}
    remote = Collection.model_validate({**scope.collection.model_dump(), "source": source})
    context = dg.build_sensor_context(cursor=cursor, resources={"warehouse": warehouse})
    return new_release_sensor(Scope(remote))(context)


def test_the_installed_metadata_are_asked_about_once_per_release(scope):
    installed = f"idc-index-data {version('idc-index-data')}"
    first = _tick(scope, "idc", None, Warehouse())
    assert (len(first.run_requests), first.cursor) == (1, installed)
    assert "still idc-index-data" in str(_tick(scope, "idc", installed, Warehouse()))
    assert len(_tick(scope, "idc", "idc-index-data 1.0", Warehouse()).run_requests) == 1


@pytest.fixture
def releases(bigquery_server: BigQueryServer) -> list[dict[str, int]]:
    rows = [{"idc_version": 22}, {"idc_version": 23}]
    bigquery_server.tables["bigquery-public-data.idc_current.version_metadata"] = ({"idc_version": "int64"}, rows)
    return rows


def test_bigquery_is_asked_which_release_is_current(scope, bigquery_server, releases):
    warehouse = Warehouse(credentials=bigquery_server.credentials())
    first = _tick(scope, "bigquery", None, warehouse)
    assert first.cursor == "bigquery-public-data.idc_current 23"
    assert "still" in str(_tick(scope, "bigquery", first.cursor, warehouse))
    releases.append({"idc_version": 24})
    assert _tick(scope, "bigquery", first.cursor, warehouse).cursor == "bigquery-public-data.idc_current 24"


def test_a_bigquery_that_does_not_answer_is_asked_again_later(scope, bigquery_server):
    answer = _tick(scope, "bigquery", "before", Warehouse(credentials=bigquery_server.credentials()))
    assert isinstance(answer, dg.SkipReason)
    assert "BigQuery" in str(answer)
