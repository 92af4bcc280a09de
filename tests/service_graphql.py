"""Ask a running service for work, and what came of it, as the web UI does: by GraphQL."""

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ct_assets.step_name import STAGES

FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}

LAUNCH = """
mutation($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchPipelineExecution(executionParams: {selector: $selector, mode: "default", executionMetadata: {tags: $tags}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}"""
RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
  runId status startTime endTime parentRunId tags { key value } } } }"""
BACKFILL = """
mutation($keys: [AssetKeyInput!]!, $partitions: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $partitions}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
BACKFILL_STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename ... on PartitionBackfill {
  status runs { runId status tags { key value } } } } }"""
BACKFILLS = """
{ partitionBackfillsOrError { ... on PartitionBackfills { results { id } } } }"""
CHECKS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name partitionStatuses { __typename
    ... on AssetCheckDefaultPartitionStatuses { succeededPartitions failedPartitions executionFailedPartitions
      skippedPartitions inProgressPartitions } } } } } } } }"""
LOGS = """
query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
  ... on MessageEvent { message } ... on ErrorEvent { error { message } } } } } }"""
LOCATION = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"

Value = TypeVar("Value")


class GraphQL:
    """A web server that answers GraphQL, on the demo collection."""

    def __init__(self, url: str) -> None:
        self.url = url

    def graphql(self, query: str, **variables: Any) -> Any:
        """Return the data of a query; errors of the server are raised."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def knows_the_code(self) -> bool:
        """Whether it answers and has loaded the code location."""
        try:
            return bool(self.graphql(LOCATION)["repositoriesOrError"].get("nodes"))
        except OSError:
            return False

    def launch(self, *assets: str, checks: tuple[str, ...] = (), uid: str | None = None) -> Any:
        """Ask for a run of some assets, with named checks of the first; return the answer."""
        keys = [["demo", asset] for asset in assets]
        selector = {
            "repositoryLocationName": "ct_assets",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": key} for key in keys],
            "assetCheckSelection": [{"assetKey": {"path": keys[0]}, "name": check} for check in checks],
        }
        tags = [{"key": "dagster/partition", "value": uid}] if uid else []
        return self.graphql(LAUNCH, selector=selector, tags=tags)["launchPipelineExecution"]

    def run(self, run_id: str) -> Any:
        """A run: status, times in seconds since 1970, tags."""
        return self.graphql(RUN, id=run_id)["runOrError"]

    def finished(self, run_id: str, seconds: float = 180) -> Any:
        """The run once it has finished."""
        return wait(seconds, lambda run: run["status"] in FINISHED, lambda: self.run(run_id))

    def materialize(self, *assets: str, checks: tuple[str, ...] = ()) -> None:
        """Materialize assets of the cohort with some checks of the first, as the UI does."""
        assert self.finished(self.launch(*assets, checks=checks)["run"]["runId"])["status"] == "SUCCESS"

    def start_backfill(self, partitions: list[str], assets: Sequence[str] = STAGES) -> str:
        """Launch a backfill; return its id."""
        keys = [{"path": ["demo", name]} for name in assets]
        launched = self.graphql(BACKFILL, keys=keys, partitions=partitions)["launchPartitionBackfill"]
        return str(launched["backfillId"])

    def backfills(self) -> list[str]:
        """The ids of all backfills, the latest first."""
        return [str(found["id"]) for found in self.graphql(BACKFILLS)["partitionBackfillsOrError"]["results"]]

    def backfill(self, backfill_id: str, seconds: float = 900) -> Any:
        """The backfill once it has finished: its status and its runs."""
        return wait(
            seconds,
            lambda found: found["status"].startswith("COMPLETED") or found["status"] == "FAILED",
            lambda: self.graphql(BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"],
        )

    def runs(self, backfill_id: str) -> list[dict[str, Any]]:
        """The runs that a backfill has launched so far."""
        return list(self.graphql(BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"]["runs"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """The log of a run."""
        return list(self.graphql(LOGS, id=run_id)["logsForRun"]["events"])

    def messages(self, run_id: str) -> str:
        """The texts of the log of a run and of its errors, one per line."""
        said = ((event.get("message"), (event.get("error") or {}).get("message")) for event in self.events(run_id))
        return "\n".join(text for texts in said for text in texts if text)

    def checks(self, asset: str) -> dict[str, Any]:
        """Partitions by status, of each check of an asset."""
        found = self.graphql(CHECKS, key={"path": ["demo", asset]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        return {check["name"]: check["partitionStatuses"] for check in found}


def wait(seconds: float, done: Callable[[Value], bool], value: Callable[[], Value]) -> Value:
    """Return a value as soon as it will do."""
    deadline = time.monotonic() + seconds
    while not done(found := value()):
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


def tag(run: dict[str, Any], key: str) -> str | None:
    """Value of a tag of a run."""
    return next((str(tag["value"]) for tag in run["tags"] if tag["key"] == key), None)
