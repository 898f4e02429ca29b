"""What Airbyte and QALITA's adapter send, in every variant.

Shapes: airbytehq/airbyte-platform, airbyte-notification: `SlackNotificationClient.kt`,
`SyncSummary.kt`, `Notification.kt`, and the templates of the texts.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

WORKSPACE = "84d2dd6e-82aa-406e-91f3-bf8dbf176e69"
CONNECTION = "aa941643-07ea-48a2-9035-024575491720"
JOB = 9988
HOME = f"https://cloud.airbyte.com/workspaces/{WORKSPACE}"
LINK = f"{HOME}/connections/{CONNECTION}"
TEST_TAG = "[THIS IS A TEST NOTIFICATION] "
HELLO = "Hello World! This is a test from Airbyte to try slack notification settings for"


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def blocks(title: str, link: str = LINK) -> list[Json]:
    fields = ["*Source:*", f"<{HOME}/source/1|Sheets>", "*Destination:*", f"<{HOME}/d/2|Postgres>"]
    return [
        section(f"{title}: <{link}|Sheets → Postgres>"),
        {"type": "section", "fields": [{"type": "mrkdwn", "text": field} for field in fields]},
        section("*Sync Summary:*\n1400 record(s) extracted / 1400 record(s) loaded\n"),
    ]


def summary(*, success: bool, job: int = JOB, connection: str = CONNECTION) -> Json:
    """`SyncSummary`, as Jackson writes it."""
    return {
        "workspace": {"id": WORKSPACE, "name": "Shop", "url": HOME},
        "connection": {"id": connection, "name": "Sheets → Postgres", "url": LINK},
        "source": {"id": "363c0ea3-e989-4051-9f54-d41b794d6621", "name": "Sheets", "url": HOME},
        "destination": {"id": "b3a05072-e3c8-435a-8e6e-4a5c601039c6", "name": "Pg", "url": HOME},
        "jobId": job,
        "startedAt": "2026-10-22T20:27:59Z",
        "finishedAt": "2026-10-22T20:29:22Z",
        "bytesEmitted": 288179,
        "bytesCommitted": 288179,
        "recordsEmitted": 1400,
        "recordsCommitted": 1400,
        "recordsFilteredOut": 0,
        "bytesFilteredOut": 0,
        "errorMessage": None if success else "The source did not answer",
        "errorType": None if success else "transient_error",
        "errorOrigin": None if success else "source",
        "success": success,
        "durationInSeconds": 83,
        "durationFormatted": "1 min 23 sec",
        "bytesEmittedFormatted": "281 kB",
        "bytesCommittedFormatted": "281 kB",
    }


def succeeded(job: int = JOB, connection: str = CONNECTION) -> Json:
    return {
        "text": "Your connection Sheets → Postgres from Sheets to Postgres succeeded\n"
        f"This was for null\n\nYou can access its logs here: {LINK}\n\nJob ID: {job}",
        "blocks": blocks("Sync completed"),
        "data": summary(success=True, job=job, connection=connection),
    }


def failed(job: int = JOB) -> Json:
    return {
        "text": "Your connection Sheets → Postgres from Sheets to Postgres just failed...\n"
        "This happened with The source did not answer\n\n"
        f"You can access its logs here: {LINK}\n\nJob ID: {job}",
        "blocks": blocks("Sync failure occurred"),
        "data": summary(success=False, job=job),
    }


def queued() -> Json:
    return {
        "text": "Your sync for connection 'Sheets → Postgres' is queued and waiting for Data Worker"
        f" capacity.\n\nSource: Sheets\nDestination: Postgres\nConnection URL: {LINK}\n"
        f"Job ID: {JOB}\n",
        "blocks": blocks("Sync queued"),
        "data": summary(success=False),
    }


def tested(body: Json) -> Json:
    """A body as the button `Test` sends it: its first block is tagged, its ids are made up."""
    first = body["blocks"][0]["text"]["text"]
    return {**body, "blocks": [section(TEST_TAG + first), *body["blocks"][1:]]}


def disabled() -> Json:
    return {
        "text": "Your connection from Sheets to Postgres was automatically disabled because it"
        " failed 20 times consecutively or has been failing for 14 days in a row.\n\nPlease address"
        " the failing issues to ensure your syncs continue to run. The most recent attempted The"
        f" source did not answer\n\nWorkspace ID: {WORKSPACE}\nConnection ID: {CONNECTION}\n",
        "blocks": blocks("Connection disabled"),
    }


def disabled_warning() -> Json:
    return {
        "text": "Your connection from Sheets to Postgres is scheduled to be automatically disabled"
        " because it either failed 10 times consecutively or there were only failed jobs in the"
        " past 7 days. Once it has failed 20 times consecutively or has been failing for 14 days in"
        " a row, the connection will be automatically disabled.\n\nPlease address the failing"
        " issues to ensure your syncs continue to run. The most recent attempted null\n\n"
        f"Workspace ID: {WORKSPACE}\nConnection ID: {CONNECTION}\n",
        "blocks": blocks("Warning - repeated connection failures"),
    }


def schema_changed(change: str = "＋ users") -> Json:
    header = f"The schema of '<{LINK}|Sheets → Postgres>' has changed."
    return {"text": header, "blocks": [section(header), {"type": "divider"}, section(change)]}


def schema_to_approve() -> Json:
    header = f"Airbyte detected schema changes for '<{LINK}|Sheets → Postgres>'."
    message = (
        "The upstream schema of 'Sheets → Postgres' has changed. Please review and approve the"
        " changes to reflect them in your connection."
    )
    return {"text": header, "blocks": [section(header), section(message), {"type": "divider"}]}


def schema_of_old_versions() -> Json:
    return {
        "text": f"Your source schema has changed for connection ID: {CONNECTION}.\n\nAirbyte has"
        " disabled this connection because this source schema change will cause broken syncs.\n"
    }


def adapter(**changes: Any) -> Json:
    """The payload of QALITA's adapter."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    body = {
        "connection": {"connectionId": CONNECTION},
        "job": {
            "id": JOB,
            "status": "succeeded",
            "startedAt": 1_760_000_000_000,
            "endedAt": 1_760_000_083_500,
            "name": "nightly",
        },
        "attempt": {
            "totalStats": {"recordsEmitted": 1400, "bytesEmitted": 288179, "recordsCommitted": 1399}
        },
        "catalog": {"streams": [{"name": "users", "jsonSchema": schema}]},
    }
    return {**body, **changes}
