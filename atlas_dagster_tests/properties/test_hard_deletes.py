"""What vanishes from landing, beside clears, refreshes and failures: navigate is the oracle's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas_dagster.catalog import DestinationMode
from atlas_dagster.layers.explore import load_explore
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.effort import how_many
from atlas_dagster_tests.layers.support import (
    chart,
    land,
    make_stream,
    navigate,
    oracle_rules,
    read_navigate,
)
from atlas_dagster_tests.properties.oracle import Snapshot, Version, history
from atlas_dagster_tests.properties.player import drop_navigate, reset, shown, told

STREAM = replace(
    make_stream(
        {
            "id": {"type": "integer"},
            "name": {"type": "string"},
            "_ab_cdc_deleted_at": {"type": "string"},
        }
    ),
    destination_mode=DestinationMode.APPEND_DEDUP,
)
RULES = StreamRules(most_vanishing=1.0)
START = datetime(2024, 1, 1, 20, tzinfo=timezone.utc)
EVERY_DAY = (date(2024, 1, 1), date(2024, 1, 9))


@dataclass(frozen=True)
class CdcSync:
    """A job: what it upserts (key, name) and deletes, and whether explore is loaded after it.

    A refresh replaces landing, if it succeeds; a clear empties it.
    """

    what: str
    upserts: tuple[tuple[int, str], ...]
    deletes: tuple[int, ...]
    succeeds: bool
    is_loaded: bool
    builds: tuple[date, date]


keys = st.sampled_from([1, 2, 3])
days = st.integers(1, 5).map(lambda day: date(2024, 1, day))
jobs = st.builds(
    CdcSync,
    what=st.sampled_from(["sync", "sync", "sync", "sync", "refresh", "clear"]),
    upserts=st.lists(
        st.tuples(keys, st.sampled_from("ab")), max_size=3, unique_by=lambda row: row[0]
    ).map(tuple),
    deletes=st.lists(keys, max_size=2).map(tuple),
    succeeds=st.sampled_from([True, True, True, False]),
    is_loaded=st.sampled_from([True, True, False]),
    builds=st.tuples(days, days).map(lambda pair: (min(pair), max(pair))),
)
drawn_jobs = st.lists(jobs, min_size=3, max_size=8)
PROFILE = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@given(drawn_jobs)
@settings(PROFILE, max_examples=10)
def test_navigate_knows_what_vanished(database: PgConnection, drawn: list[CdcSync]) -> None:
    check(database, drawn)


@pytest.mark.slow
@given(drawn_jobs)
@settings(PROFILE, max_examples=how_many(60, 300))
def test_navigate_knows_what_vanished_in_many_worlds(
    database: PgConnection, drawn: list[CdcSync]
) -> None:
    check(database, drawn)


def check(connection: PgConnection, drawn: Sequence[CdcSync]) -> None:
    reset(connection, STREAM)
    connection.execute(
        'delete from pipeline.sync; drop table if exists pipeline."crm__users__landed"'
    )
    world = Cdc(connection)
    for job_id, job in enumerate(drawn, start=1):
        world.run(job_id, job)
    world.load()
    world.build(EVERY_DAY)
    expected = history(world.explored, oracle_rules(STREAM, RULES), world.snapshots)
    found = read_navigate(connection, STREAM)
    assert [shown(row) for row in found] == [told(segment) for segment in expected]
    drop_navigate(connection, STREAM)
    navigate(connection, STREAM, RULES)
    assert read_navigate(connection, STREAM) == found


class Cdc:
    """What lies in landing, by key, and what explore must make of it."""

    def __init__(self, connection: PgConnection) -> None:
        self.connection = connection
        self.landing: dict[int, Version] = {}
        self.explored: list[Version] = []
        self.alive: dict[str, Version] = {}
        self.snapshots: list[Snapshot] = []
        self.newest: tuple[int, CdcSync] | None = None

    def run(self, job_id: int, job: CdcSync) -> None:
        begun = START + timedelta(hours=9 * (job_id - 1))
        versions = {
            key: Version(f"{job_id}-{key}", begun + timedelta(hours=n), row(key, name), job_id)
            for n, (key, name) in enumerate(job.upserts, start=1)
        }
        if job.what == "clear":
            self.landing = {}
        elif job.what == "refresh" and job.succeeds:
            self.landing = versions
            self.snapshots.append(Snapshot(job_id, begun))
        elif job.what == "sync":
            self.landing.update(versions)
            for key in job.deletes:
                self.landing.pop(key, None)
        self.newest = (job_id, job)
        self._write(job_id, job, begun)
        if job.is_loaded or job.what == "refresh":
            self.load()
            self.build(job.builds)

    def load(self) -> None:
        load_explore(self.connection, STREAM, "run", RULES.most_vanishing)
        new = [v for v in self.landing.values() if v not in self.explored]
        self.explored += new
        for raw_id, version in list(self.alive.items()):
            self._look_for(raw_id, version)
        self.alive.update((version.raw_id, version) for version in new)

    def build(self, chosen: tuple[date, date]) -> None:
        chart(self.connection, STREAM, RULES, chosen)
        navigate(self.connection, STREAM, RULES, chosen)

    def _look_for(self, raw_id: str, version: Version) -> None:
        """A version that is gone: replaced, or deleted by the newest sync if that is whole."""
        assert self.newest
        job_id, job = self.newest
        if version in self.landing.values():
            return
        is_whole = job.what != "clear" and job.succeeds
        if version.data["id"] in self.landing or is_whole:
            del self.alive[raw_id]
        if version.data["id"] not in self.landing and is_whole and job.what == "sync":
            reached = START + timedelta(hours=9 * (job_id - 1) + 8)
            instant = max(reached, version.extracted_at + timedelta(microseconds=1))
            data = {**version.data, "_ab_cdc_deleted_at": "then"}
            self.explored.append(Version(f"tombstone-{raw_id}", instant, data, job_id))

    def _write(self, job_id: int, job: CdcSync, begun: datetime) -> None:
        self.connection.execute("delete from landing.users")
        land(self.connection, STREAM, self.landing.values())
        ended = "succeeded" if job.succeeds else "failed"
        self.connection.execute(
            "insert into pipeline.sync (connection_id, job_id, job_type, status, created_at,"
            " ended_at, snapshot_at) values (%s, %s, %s, %s, %s, now(), %s)",
            (STREAM.connection_id, job_id, job.what, ended, begun, begun if job.succeeds else None),
        )
        self.connection.execute(
            "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
            " minimum_generation_id, status, full_refresh, records_committed, touched_days,"
            " last_extracted_at) values (%s, %s, %s, 0, 0, %s, %s, %s, %s, %s)",
            (
                STREAM.connection_id,
                job_id,
                STREAM.name,
                "complete" if job.succeeds else "incomplete",
                job.what == "refresh",
                len(job.upserts),
                sorted({(begun + timedelta(hours=n + 1)).date() for n in range(len(job.upserts))}),
                begun + timedelta(hours=8),
            ),
        )


def row(key: int, name: str) -> dict[str, object]:
    return {"id": key, "name": name, "_ab_cdc_deleted_at": None}
