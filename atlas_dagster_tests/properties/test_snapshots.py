"""Full refreshes: whatever they deliver, whatever is built when, navigate is the oracle's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.effort import how_many
from atlas_dagster_tests.layers.support import (
    chart,
    land,
    load,
    make_stream,
    navigate,
    oracle_rules,
    purge,
    read_navigate,
)
from atlas_dagster_tests.properties.oracle import Snapshot, Version, history
from atlas_dagster_tests.properties.player import drop_navigate, reset, shown, told

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
RULES = StreamRules(most_vanishing=1.0)
START = datetime(2024, 1, 1, 22, tzinfo=timezone.utc)
EVERY_DAY = (date(2024, 1, 1), date(2024, 1, 9))


@dataclass(frozen=True)
class SyncDrawn:
    """A sync: its rows (key, name), and whether it is a full refresh and ends well.

    ``builds`` are the days that are built while it runs, and after it; then explore drops what is
    of days before ``purged``.
    """

    rows: tuple[tuple[int | None, str], ...]
    full_refresh: bool
    succeeds: bool
    builds: tuple[tuple[date, date], tuple[date, date]]
    purged: date | None


days = st.integers(1, 5).map(lambda day: date(2024, 1, day))
ranges = st.tuples(days, days).map(lambda pair: (min(pair), max(pair)))
syncs = st.builds(
    SyncDrawn,
    rows=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, None]), st.sampled_from("ab")), max_size=4
    ).map(tuple),
    full_refresh=st.sampled_from([True, True, False]),
    succeeds=st.sampled_from([True, True, False]),
    builds=st.tuples(ranges, ranges),
    purged=st.none() | days,
)


drawn_syncs = st.lists(syncs, min_size=1, max_size=6)
PROFILE = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@given(drawn=drawn_syncs, few=st.booleans())
@settings(PROFILE, max_examples=10)
def test_navigate_follows_the_snapshots(
    warehouse: PgConnection, look_up: Callable[[bool], None], drawn: list[SyncDrawn], few: bool
) -> None:
    look_up(few)
    check(warehouse, drawn)


@pytest.mark.slow
@given(drawn=drawn_syncs, few=st.booleans())
@settings(PROFILE, max_examples=how_many(60, 300))
def test_navigate_follows_the_snapshots_of_many_worlds(
    warehouse: PgConnection, look_up: Callable[[bool], None], drawn: list[SyncDrawn], few: bool
) -> None:
    look_up(few)
    check(warehouse, drawn)


def check(warehouse: PgConnection, drawn: list[SyncDrawn]) -> None:
    reset(warehouse, STREAM)
    warehouse.execute("delete from pipeline.sync")
    versions: list[Version] = []
    for job_id, sync in enumerate(drawn, start=1):
        versions += play_sync(warehouse, job_id, sync)
    build(warehouse, EVERY_DAY)
    expected = history(
        versions,
        oracle_rules(STREAM, RULES),
        [
            Snapshot(job_id, started_at(job_id))
            for job_id, sync in enumerate(drawn, start=1)
            if sync.full_refresh and sync.succeeds
        ],
    )
    found = read_navigate(warehouse, STREAM)
    assert [shown(row) for row in found] == [told(segment) for segment in expected]
    drop_navigate(warehouse, STREAM)
    navigate(warehouse, STREAM, RULES)
    assert read_navigate(warehouse, STREAM) == found


def play_sync(connection: PgConnection, job_id: int, sync: SyncDrawn) -> Sequence[Version]:
    """Half of the rows land, something is built, the rest lands, the sync ends, and again."""
    begin_sync(connection, job_id, full_refresh=sync.full_refresh)
    versions = [
        Version(f"{job_id}-{n}", started_at(job_id) + timedelta(hours=n), row, job_id)
        for n, row in enumerate(({"id": key, "name": name} for key, name in sync.rows), start=1)
    ]
    half = len(versions) // 2
    land(connection, STREAM, versions[:half])
    build(connection, sync.builds[0])
    land(connection, STREAM, versions[half:])
    end_sync(connection, job_id, versions, succeeded=sync.succeeds)
    build(connection, sync.builds[1])
    if sync.purged:
        purge(connection, STREAM, sync.purged)
    return versions


def build(connection: PgConnection, chosen: tuple[date, date]) -> None:
    load(connection, STREAM)
    chart(connection, STREAM, RULES, chosen)
    navigate(connection, STREAM, RULES, chosen)


def started_at(job_id: int) -> datetime:
    return START + timedelta(hours=10 * (job_id - 1))


def begin_sync(connection: PgConnection, job_id: int, *, full_refresh: bool) -> None:
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, status, created_at)"
        " values (%s, %s, 'running', %s)",
        (STREAM.connection_id, job_id, started_at(job_id)),
    )
    connection.execute(
        "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
        " minimum_generation_id, full_refresh) values (%s, %s, %s, 0, 0, %s)",
        (STREAM.connection_id, job_id, STREAM.name, full_refresh),
    )


def end_sync(
    connection: PgConnection, job_id: int, versions: Iterable[Version], *, succeeded: bool
) -> None:
    landed = list(versions)
    connection.execute(
        "update pipeline.sync_stream set status = %s, records_committed = %s, touched_days = %s"
        " where job_id = %s",
        (
            "complete" if succeeded else "incomplete",
            len(landed),
            sorted({version.extracted_at.date() for version in landed}),
            job_id,
        ),
    )
    connection.execute(
        "update pipeline.sync set status = %s, ended_at = now(),"
        " snapshot_at = case when %s then created_at end where job_id = %s",
        ("succeeded" if succeeded else "failed", succeeded, job_id),
    )
