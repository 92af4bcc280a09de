"""The warehouse against a BigQuery on loopback: rows, pages, limits, and what is said when it does not answer."""

import math
import time

import pytest
from google.auth.compute_engine import _metadata

from resources import warehouse as warehouse_module
from resources.warehouse import Warehouse, WarehouseError
from tests.resources.bigquery_server import BigQueryServer, bigquery_server

__all__ = ["bigquery_server"]

TABLE = "my-project.things.all"
COLUMNS = {"name": "string", "count": "int64", "size": "float64", "good": "boolean", "parts": "array<string>"}
ROWS = [
    {
        "name": f"n{number:02d}",
        "count": number,
        "size": number / 3,
        "good": number % 2 == 0,
        "parts": ["a", str(number)],
    }
    for number in range(20)
]
DEAD = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture
def server(bigquery_server) -> BigQueryServer:
    bigquery_server.tables[TABLE] = (COLUMNS, ROWS)
    return bigquery_server


def _warehouse(
    server: BigQueryServer,
    maximum_gb: float = 500.0,
    project: str | None = "my-project",
    credentials: str | None = None,
) -> Warehouse:
    return Warehouse(project=project, credentials=credentials or server.credentials(), maximum_gb=maximum_gb)


def _refusal(warehouse: Warehouse, sql: str = "SELECT 1 AS one") -> str:
    began = time.monotonic()
    with pytest.raises(WarehouseError) as refused:
        warehouse.query(sql)
    assert time.monotonic() - began < 5
    return str(refused.value)


def test_rows_come_back_with_their_types_over_several_pages(server):
    frame = _warehouse(server).query(f"SELECT * FROM `{TABLE}` ORDER BY name")
    assert sum("/queries/" in request for request in server.requests) >= 3
    frame["parts"] = frame["parts"].map(list)
    assert frame.to_dict("records") == ROWS
    assert frame.dtypes.astype(str).to_dict() == {
        "name": "object",
        "count": "int64",
        "size": "float64",
        "good": "bool",
        "parts": "object",
    }


def test_nulls_stay_nulls(server):
    server.tables[TABLE] = (COLUMNS, [{}, ROWS[1]])
    frame = _warehouse(server).query(f"SELECT * FROM `{TABLE}` ORDER BY name")
    nothing, something = frame.to_dict("records")
    assert (nothing["name"], nothing["good"], list(nothing["parts"])) == (None, None, [])
    assert math.isnan(nothing["count"])
    assert math.isnan(nothing["size"])
    assert (something["good"], something["count"]) == (False, 1)


def test_no_rows_are_a_table_with_columns(server):
    frame = _warehouse(server).query(f"SELECT name, count FROM `{TABLE}` WHERE count < 0")
    assert (list(frame.columns), len(frame)) == (["name", "count"], 0)


def test_the_project_of_the_settings_is_billed_before_that_of_the_key(server):
    for project, billed in (("other-project", "other-project"), (None, "my-project")):
        _warehouse(server, project=project).query("SELECT 1 AS one")
        assert server.projects[-1] == billed


def test_a_query_over_the_limit_names_the_setting(server):
    server.bytes_read = 3_000_000_000
    message = _refusal(_warehouse(server, maximum_gb=2.5))
    assert server.limits == [2_500_000_000]
    assert "Query exceeded limit for bytes billed: 2500000000. 3000000000 or higher required" in message
    assert "CT_ASSETS_BIGQUERY_MAXIMUM_GB, which is 2.5" in message
    assert _warehouse(server, maximum_gb=3).query("SELECT 1 AS one")["one"].tolist() == [1]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (f"SELECT nome FROM `{TABLE}`", "Unrecognized name: nome"),
        (f"SELECT 1 / (count - 3) AS x FROM `{TABLE}`", "division by zero"),
        ("SELECT 1 FROM `my-project.things.none`", "Not found: Table `my-project.things.none`"),
    ],
)
def test_a_query_that_fails_is_told_as_bigquery_tells_it(server, sql, reason):
    message = _refusal(_warehouse(server), sql)
    assert message.startswith("BigQuery refused the query (")
    assert reason in message
    assert "check the table in the collection's source" in message


def test_a_table_that_may_not_be_read_is_named(server):
    server.denied.add(TABLE)
    message = _refusal(_warehouse(server), f"SELECT name FROM `{TABLE}`")
    assert f"Access Denied: Table {TABLE}" in message
    assert "your permissions" in message


def test_an_unknown_key_says_how_to_get_another(server):
    stranger = BigQueryServer()
    credentials = stranger.credentials(token_uri=f"{server.endpoint}/token")
    stranger.stop()
    assert "gcloud auth application-default login" in _refusal(_warehouse(server, credentials=credentials))


def test_without_credentials_it_is_said_what_to_set_and_no_cloud_is_looked_for(server, monkeypatch, tmp_path):
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)  # NO_GCE_CHECK=true is read at the import
    message = _refusal(Warehouse(project="my-project"))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in message
    assert "gcloud auth application-default login" in message
    assert server.requests == []


def test_without_a_project_the_setting_is_named(server):
    credentials = server.credentials(project=None)
    message = _refusal(_warehouse(server, project=None, credentials=credentials))
    assert "set CT_ASSETS_BIGQUERY_PROJECT" in message
    assert server.queries == []


@pytest.mark.parametrize("fault", ["no token server", "no interface", "no certificate"])
def test_a_network_that_is_down_is_told_soon(server, monkeypatch, fault):
    monkeypatch.setattr(warehouse_module, "PATIENCE_SECONDS", 0.2)
    credentials = server.credentials(token_uri=DEAD if fault == "no token server" else None)
    if fault != "no token server":
        address = DEAD if fault == "no interface" else server.endpoint.replace("http:", "https:")
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
    message = _refusal(_warehouse(server, credentials=credentials))
    assert message.startswith("BigQuery cannot be reached (")
    assert "check the network" in message


def test_a_moment_of_unavailability_is_waited_for(server):
    server.unavailable = 1
    assert _warehouse(server).query("SELECT 1 AS one")["one"].tolist() == [1]
    assert server.unavailable == 0
