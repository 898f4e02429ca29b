"""Dagster's webserver, asked as its UI asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

LOCATION = "atlas_dagster.definitions"

LAUNCH = """
mutation ($job: JobOrPipelineSelector!, $day: String!) {
  launchRun(executionParams: {
    selector: $job, runConfigData: {},
    executionMetadata: {tags: [{key: "dagster/partition", value: $day}]}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}
"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
LOG_KEYS = """
query ($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection { events { ... on LogsCapturedEvent { fileKey } } }
  }
}
"""
LOG = "query ($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"
REPOSITORIES = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""


@dataclass(frozen=True)
class Webserver:
    url: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        content = answer.raise_for_status().json()
        assert not content.get("errors"), content
        return content["data"]

    def repositories(self) -> list[tuple[str, str]]:
        """The name of each repository's location, and its own."""
        nodes = self.ask(REPOSITORIES)["repositoriesOrError"]["nodes"]
        return [(node["location"]["name"], node["name"]) for node in nodes]

    def launch(self, job: str, day: str) -> dict[str, Any]:
        """Ask for a run of a job for a day; returns the answer."""
        [(location, repository)] = self.repositories()
        selector = {
            "repositoryLocationName": location,
            "repositoryName": repository,
            "pipelineName": job,
        }
        return self.ask(LAUNCH, job=selector, day=day)["launchRun"]

    def status(self, run_id: str) -> str:
        return self.ask(STATUS, id=run_id)["runOrError"]["status"]

    def logs(self, run_id: str) -> list[dict[str, str]]:
        """What the steps of a run wrote, as far as the webserver can show it."""
        events = self.ask(LOG_KEYS, id=run_id)["logsForRun"]["events"]
        keys = [event["fileKey"] for event in events if event.get("fileKey")]
        return [self.ask(LOG, key=[run_id, "compute_logs", key])["capturedLogs"] for key in keys]
