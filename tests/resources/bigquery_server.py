"""BigQuery on loopback: as much of its REST interface as google-cloud-bigquery needs for a query, and Google's tokens.

The SQL is run by Google's own evaluator of that language over the tables that a test puts in.
"""

import base64
import json
import re
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.oauth2.service_account import Credentials

from tests.cohort_table.googlesql import Answer, GoogleSqlError, evaluate

_TYPES = {"string": "STRING", "int64": "INTEGER", "float64": "FLOAT", "boolean": "BOOLEAN"}
_ARRAY = re.compile(r"array<(\w+)>")
_EMAIL = "reader@my-project.iam.gserviceaccount.com"
_SCOPES = {f"https://www.googleapis.com/auth/{name}" for name in ("bigquery", "cloud-platform")}
_TOKEN = "token-of-the-loopback"


class RefusalError(Exception):
    """An error answer of the interface."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"reason": reason, "message": message, "domain": "global", "location": "query"}


@dataclass
class Job:
    """A query with its answer, or with the error that it ended with."""

    name: str
    project: str
    answer: Answer | None = None
    error: dict[str, str] | None = None


@dataclass
class BigQueryServer:
    """One project's BigQuery.

    Attributes
    ----------
    tables : dict
        Full name -> types by column, and rows.
    denied : set of str
        Tables that the account may not read.
    bytes_read : int
        What every query reads; one that may not have so much billed is refused.
    rows_of_a_page : int
        Rows of one answer.
    unavailable : int
        So many further requests are answered with 503.
    projects, queries, limits : lists
        What was asked: the projects that were to be billed, the SQL, and the most bytes.
    """

    tables: dict[str, Any] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    bytes_read: int = 10_000_000
    rows_of_a_page: int = 7
    unavailable: int = 0
    projects: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        handler = type("Handler", (_Handler,), {"bigquery": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def credentials(self, *, project: str | None = "my-project", token_uri: str | None = None) -> str:
        """Key file of a service account that this server knows, as dagster-gcp takes it."""
        content = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "1",
            "private_key": self._private,
            "client_email": _EMAIL,
            "token_uri": token_uri or f"{self.endpoint}/token",
        }
        return base64.b64encode(json.dumps({k: v for k, v in content.items() if v}).encode()).decode()

    def token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """Give a token for an assertion that is signed with the account's key."""
        try:
            claims = jwt.decode(form["assertion"][0], certs=self._public)
        except ValueError as error:
            raise RefusalError(400, "invalid_grant", str(error)) from error
        if claims["iss"] != _EMAIL or not set(claims["scope"].split()) & _SCOPES:
            raise RefusalError(400, "invalid_grant", "account or scope is unknown")
        return {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"}

    def insert(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        """Start a query; one that cannot be understood is refused at once, one that fails is a job with an error."""
        query = body["configuration"]["query"]
        assert query["useLegacySql"] is False
        self.projects.append(project)
        self.queries.append(query["query"])
        self.limits.append(int(query["maximumBytesBilled"]))
        job = self._jobs[body["jobReference"]["jobId"]] = Job(body["jobReference"]["jobId"], project)
        try:
            self._check_access(query["query"])
            if self.bytes_read > self.limits[-1]:
                message = (
                    f"Query exceeded limit for bytes billed: {self.limits[-1]}. {self.bytes_read} or higher required."
                )
                job.error = {"reason": "bytesBilledLimitExceeded", "message": message}
            else:
                job.answer = evaluate(query["query"], self.tables)
        except GoogleSqlError as error:
            message = str(error).partition("Message: ")[2]
            if "Code: 3" not in str(error):  # it came with the rows
                job.error = {"reason": "invalidQuery", "message": message, "location": "query"}
            elif "Table not found" in message:
                name = message.partition(": ")[2]
                raise RefusalError(404, "notFound", f"Not found: Table {name} was not found in location US") from error
            else:
                raise RefusalError(400, "invalidQuery", message) from error
        return self.job(project, job.name)

    def job(self, project: str, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        assert job.project == project
        status = {"state": "DONE", **({"errorResult": job.error, "errors": [job.error]} if job.error else {})}
        statistics = {"totalBytesProcessed": str(self.bytes_read), "query": {"statementType": "SELECT"}}
        return {
            "kind": "bigquery#job",
            "id": f"{project}:US.{name}",
            "jobReference": {"projectId": project, "jobId": name, "location": "US"},
            "configuration": {"jobType": "QUERY", "query": {"useLegacySql": False}},
            "status": status,
            "statistics": statistics,
        }

    def results(self, project: str, name: str, parameters: dict[str, list[str]]) -> dict[str, Any]:
        """One page of rows."""
        answer = self._jobs[name].answer
        assert answer is not None
        first = int(parameters.get("pageToken", ["0"])[0])
        count = min(int(parameters.get("maxResults", [self.rows_of_a_page])[0]), self.rows_of_a_page)
        kinds = list(answer.columns.values())
        rows = answer.rows[first : first + count]
        left = first + count < len(answer.rows)
        return {
            "jobReference": {"projectId": project, "jobId": name, "location": "US"},
            "jobComplete": True,
            "schema": {"fields": [_field(*column) for column in answer.columns.items()]},
            "totalRows": str(len(answer.rows)),
            "totalBytesProcessed": str(self.bytes_read),
            "rows": [{"f": [{"v": _cell(*cell)} for cell in zip(row, kinds, strict=True)]} for row in rows],
            **({"pageToken": str(first + count)} if left else {}),
        }

    def _check_access(self, sql: str) -> None:
        for name in self.denied:
            if name in sql.replace("`", ""):
                message = f"Access Denied: Table {name}: User does not have permission to query table {name}"
                raise RefusalError(403, "accessDenied", message)


def _field(name: str, kind: str) -> dict[str, str]:
    array = _ARRAY.fullmatch(kind)
    return {"name": name, "type": _TYPES[array[1] if array else kind], "mode": "REPEATED" if array else "NULLABLE"}


def _cell(value: Any, kind: str) -> Any:
    """BigQuery writes numbers and booleans as text; a REPEATED column is never null."""
    if array := _ARRAY.fullmatch(kind):
        return [{"v": _cell(element, array[1])} for element in value or []]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


class _Handler(BaseHTTPRequestHandler):
    bigquery: BigQueryServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.bigquery.requests.append(f"{self.command} {self.path}")
        try:
            status, content = 200, self._route(body)
        except RefusalError as refusal:
            status = refusal.status
            content = {"error": {"code": status, "message": str(refusal), "errors": [refusal.error]}}
        except Exception:  # the client would try a dropped connection again and again
            status, content = 501, {"error": {"code": 501, "message": traceback.format_exc()}}
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _route(self, body: bytes) -> dict[str, Any]:
        parts = urlsplit(self.path)
        if parts.path == "/token":
            return self.bigquery.token(parse_qs(body.decode()))
        if self.headers.get("Authorization") != f"Bearer {_TOKEN}":
            raise RefusalError(401, "authError", "Invalid Credentials")
        if self.bigquery.unavailable > 0:
            self.bigquery.unavailable -= 1
            raise RefusalError(503, "backendError", "Retrying may solve the problem.")
        match self.command, parts.path.removeprefix("/bigquery/v2/projects/").split("/"):
            case "POST", [project, "jobs"]:
                return self.bigquery.insert(project, json.loads(body))
            case "GET", [project, "jobs", job]:
                return self.bigquery.job(project, job)
            case "GET", [project, "queries", job]:
                return self.bigquery.results(project, job, parse_qs(parts.query))
        raise RefusalError(404, "notFound", f"Not found: {self.command} {parts.path}")


@pytest.fixture
def bigquery_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQueryServer]:
    """A server without tables, to which this process's clients are led."""
    server = BigQueryServer()
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # A key file makes google-auth ask another address of Google's, in a thread, where its tokens may be used.
    monkeypatch.setattr(Credentials, "_is_regional_access_boundary_lookup_required", lambda _: False)
    yield server
    server.stop()
