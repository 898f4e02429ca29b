"""The page of a sync: its streams, the largest first, and no more of them than can be read."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from atlas_dagster.airbyte.job_info import JobOutcome, StreamOutcome
from atlas_dagster.airbyte.jobs import Job, StreamSync
from atlas_dagster.airbyte.sync_summary import embedded_summary, server_summary
from atlas_dagster_tests.layers.support import make_stream

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def job(status: str = "succeeded") -> Job:
    later = NOON + timedelta(seconds=3.14)
    return Job("id", 7, status, NOON, later, None, later, 0, 0)


def synced(name: str, records: int, namespace: str = "", days: int = 1) -> StreamSync:
    touched = [date(2026, 3, 1) + timedelta(days=i) for i in range(days)]
    return StreamSync(
        name, namespace, 0, 0, "complete", records, 10, records, 10, NOON, NOON, touched, None
    )


def test_the_largest_stream_comes_first() -> None:
    page = embedded_summary(job(), [synced("a", 1), synced("b|c", 2000, "shop", days=3)])
    assert page.splitlines() == [
        "**Job 7** succeeded in 3.1 s: 2,001 records of 2 streams.",
        "",
        "| stream | records | bytes | days | is |",
        "| --- | --- | --- | --- | --- |",
        "| shop.b\\|c | 2,000 | 10 | 2026-03-01 to 2026-03-03 | complete |",
        "| `a` | 1 | 10 | 2026-03-01 | complete |",
    ]


def test_many_streams_are_counted() -> None:
    page = embedded_summary(job(), [synced(f"s{i}", i) for i in range(300)])
    assert len(page) < 2000
    assert page.endswith("and 280 more streams")


def test_what_a_server_does_not_tell_is_not_taken_for_nothing() -> None:
    stream = StreamOutcome(make_stream({}), 0, 0, full_refresh=False, complete=False, counts=None)
    outcome = JobOutcome(7, "sync", "failed", NOON, NOON, 1, None, (stream,))
    page = server_summary(outcome)
    assert page.startswith("**Job 7** failed in 0.0 s: 1 streams.")
    assert "| `users` | not told | not told |  | incomplete |" in page
