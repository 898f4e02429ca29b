"""The payload of QALITA's adapter, typed: all that there is of such a sync."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from atlas_dagster.errors import PayloadError
from atlas_dagster.webhook.payload import AdapterStream, AdapterSync, parse_adapter
from atlas_dagster_tests.webhook.bodies import CONNECTION, JOB, adapter

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
JOB_PART = adapter()["job"]


def job(**changes: Any) -> dict[str, Any]:
    return adapter(job={**JOB_PART, **changes})


def test_every_part_is_read() -> None:
    assert parse_adapter(adapter()) == AdapterSync(
        connection_id=CONNECTION,
        name="nightly",
        job_id=JOB,
        status="succeeded",
        started_at=datetime(2025, 10, 9, 8, 53, 20, tzinfo=timezone.utc),
        ended_at=datetime(2025, 10, 9, 8, 54, 43, 500_000, tzinfo=timezone.utc),
        records_emitted=1400,
        bytes_emitted=288179,
        records_committed=1399,
        streams=(AdapterStream("users", None, SCHEMA),),
    )


def test_a_job_and_its_connection_are_enough() -> None:
    sync = parse_adapter(
        {"connection": {"connectionId": "c"}, "job": {"id": 1, "status": "Failed"}}
    )
    assert sync == AdapterSync("c", None, 1, "failed", None, None, None, None, None, None)


@pytest.mark.parametrize("key", ["connectionId", "connection_id"])
def test_the_connection_may_be_named_at_the_top(key: str) -> None:
    assert parse_adapter({key: "c", "job": JOB_PART}).connection_id == "c"


def test_ids_and_times_may_be_text() -> None:
    sync = parse_adapter(job(id="77", startedAt="1760000000000"))
    assert (sync.job_id, sync.started_at) == (
        77,
        datetime(2025, 10, 9, 8, 53, 20, tzinfo=timezone.utc),
    )


def test_what_the_job_does_not_say_its_attempt_may() -> None:
    attempt = {
        "status": "cancelled",
        "startedAt": 1_760_000_000_000,
        "endedAt": 1_760_000_001_000,
        "syncStats": {"recordsEmitted": 3},
    }
    sync = parse_adapter(adapter(job={"id": 1}, attempt=attempt))
    assert (sync.status, sync.records_emitted, sync.records_committed) == ("cancelled", 3, None)
    assert sync.started_at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=timezone.utc)
    assert sync.ended_at == datetime(2025, 10, 9, 8, 53, 21, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("succeeded", "succeeded"),
        ("SUCCEEDED", "succeeded"),
        ("success", "succeeded"),
        ("failed", "failed"),
        ("error", "failed"),
        ("cancelled", "cancelled"),
        ("canceled", "cancelled"),
        ("running", "running"),
        ("pending", "running"),
        ("queued", "running"),
    ],
)
def test_every_word_for_a_status_has_one_of_ours(word: str, status: str) -> None:
    assert parse_adapter(job(status=word)).status == status


def test_a_job_that_is_incomplete_goes_on_unless_it_has_ended() -> None:
    assert parse_adapter(job(status="incomplete", endedAt=None)).status == "running"
    assert parse_adapter(job(status="incomplete")).status == "failed"


@pytest.mark.parametrize(
    ("catalogs", "streams"),
    [
        ({"catalog": None}, None),
        ({"catalog": {}}, None),
        ({"catalog": {"streams": []}}, ()),
        (
            {"catalog": {"streams": [{"stream": {"name": "a", "jsonSchema": SCHEMA}}]}},
            (AdapterStream("a", None, SCHEMA),),
        ),
        (
            {"catalog": {"streams": [{"stream": {"name": "a"}, "jsonSchema": SCHEMA}]}},
            (AdapterStream("a", None, SCHEMA),),
        ),
        (
            {"catalog": {}, "syncedCatalog": {"streams": [{"name": "a", "namespace": "n"}]}},
            (AdapterStream("a", "n", None),),
        ),
        (
            {"catalog": {"streams": [{"stream": {"name": "a", "namespace": "n"}, "config": {}}]}},
            (AdapterStream("a", "n", None),),
        ),
    ],
)
def test_a_catalog_stands_in_either_place_and_shape(catalogs: Any, streams: Any) -> None:
    assert parse_adapter(adapter(**catalogs)).streams == streams


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (adapter(connection=None), "connection.connectionId: missing"),
        (
            adapter(connection={"connectionId": ""}),
            "connection.connectionId: expected str of length >= 1",
        ),
        (adapter(job=None), "job: expected object, got null"),
        (job(id=None), "job.id: expected int, got null"),
        (job(id=-1), "job.id: expected int >= 0"),
        (job(status=None), "job.status: missing"),
        (job(status="lost"), "job.status: expected succeeded, failed, cancelled or running"),
        (job(startedAt=1_760_000_000), "job.startedAt: expected milliseconds since 1970"),
        (job(endedAt=1e300), "job.endedAt: expected milliseconds since 1970"),
        (job(endedAt="2025-10-09"), "job.endedAt: expected float | null, got str"),
        (job(endedAt="nan"), "job.endedAt: expected milliseconds since 1970"),
        (job(endedAt=1_759_999_999_999), "job.endedAt: before job.startedAt"),
        (
            adapter(attempt={"totalStats": {"recordsEmitted": -1}}),
            "attempt.totalStats.recordsEmitted: expected int >= 0",
        ),
        (adapter(catalog={"streams": [{}]}), "catalog.streams[0].name: missing"),
        (
            adapter(catalog=None, syncedCatalog={"streams": [{"name": "a", "jsonSchema": "x"}]}),
            "syncedCatalog.streams[0].jsonSchema: expected object | null, got str",
        ),
    ],
)
def test_a_key_that_is_wrong_is_named(payload: Any, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_adapter(payload)
    assert str(caught.value) == reason
