"""A sync of a server's connection, and what of it is in the warehouse afterwards.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from atlas_dagster.airbyte.job_info import Counts, JobOutcome, StreamOutcome
from atlas_dagster.airbyte.jobs import take_lock
from atlas_dagster.airbyte.refresh import fetch_workspace
from atlas_dagster.airbyte.server_run import run_sync
from atlas_dagster.airbyte.server_sync import Follower
from atlas_dagster.airbyte.snapshot import StoredConnection
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.errors import BusyError
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.airbyte.api import environment, open_api, server_settings
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble, Answer
from atlas_dagster_tests.airbyte_server.ledger import Attempt, Connection, Stats, failure, stream

USERS, ORDERS, TAGS = "users", "orders", "tags"


class Server:
    """One connection of a test server, synced into an empty warehouse."""

    def __init__(
        self, double: AirbyteDouble, tmp_path: Path, warehouse_url: str, warehouse: PgConnection
    ) -> None:
        self.double = double
        self.ledger = double.ledger
        self.warehouse = warehouse
        self.notes: list[str] = []
        self._url = warehouse_url
        self._root = tmp_path

    def connect(self, *entries: Any, **more: Any) -> Connection:
        return self.ledger.add_connection("Shop", *entries, **more)

    def stored(self) -> StoredConnection:
        (stored,) = fetch_workspace(open_api(self.double), None, ()).connections
        return stored

    def sync(self, stored: StoredConnection | None = None) -> JobOutcome:
        settings = load_settings(
            {
                **environment(self.double),
                "ATLAS_PROJECT_DIR": str(self._root),
                "ATLAS_WAREHOUSE_URL": self._url,
            }
        )
        follower = Follower(self.notes.append, lambda: False, 0, sleep=lambda _: None)
        server = server_settings(self.double)
        outcome, _ = run_sync(settings, server, stored or self.stored(), "run-1", follower)
        return outcome

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.warehouse.execute(statement.encode()).fetchall()

    def jobs(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "select job_id, job_type, status, snapshot_at is not null from pipeline.sync"
            " order by job_id"
        )

    def streams(self, job_id: int) -> dict[str, tuple[Any, ...]]:
        rows = self.warehouse.execute(
            "select name, status, full_refresh, records_committed from pipeline.sync_stream"
            " where job_id = %s",
            (job_id,),
        ).fetchall()
        return {row[0]: row[1:] for row in rows}


@pytest.fixture
def server(
    airbyte_server: AirbyteDouble, tmp_path: Path, warehouse_url: str, warehouse: PgConnection
) -> Server:
    return Server(airbyte_server, tmp_path, warehouse_url, warehouse)


def by_name(outcome: JobOutcome) -> dict[str, StreamOutcome]:
    return {synced.stream.name: synced for synced in outcome.streams}


def counts(committed: int, emitted: int | None = None) -> Stats:
    return Stats(USERS, None, committed if emitted is None else emitted, committed, committed * 10)


def refreshed(name: str, mode: str = "overwrite") -> Any:
    return stream(name, sync_mode="full_refresh", destination_mode=mode)


def test_17_counts_come_by_stream_and_attempts_are_counted(server: Server) -> None:
    shop = server.connect(
        *(stream(USERS), stream(USERS, namespace="eu")), namespace_definition="source", prefix="p_"
    )
    attempts = [
        Attempt("failed", [Stats(USERS, None, 9, 5, 50)], [failure("lost")]),
        Attempt("succeeded", [Stats(USERS, None, 7, 7, 70), Stats(USERS, "eu", 2, 2, 20)]),
    ]
    server.ledger.plan(shop, "running", "incomplete", "succeeded", attempts=attempts)
    outcome = server.sync()
    assert (outcome.status, outcome.attempts, outcome.failure) == ("succeeded", 2, None)
    assert (outcome.ended_at - outcome.created_at).total_seconds() == 90
    assert {synced.key: synced.counts for synced in outcome.streams} == {
        (USERS, None): Counts(16, 120, 12, 120),
        (USERS, "eu"): Counts(2, 20, 2, 20),
    }


def test_the_outcome_is_in_the_ledger_with_run_generation_and_failure(server: Server) -> None:
    shop = server.connect(stream(USERS, generationId=7, minimumGenerationId=7))
    server.ledger.plan(
        shop, "failed", attempts=[Attempt("failed", [counts(3)], [failure("no disk")])]
    )
    server.sync()
    assert server.rows(
        "select job_id, status, run_id, failure, ended_at - created_at from pipeline.sync"
    ) == [
        (
            1000,
            "failed",
            "run-1",
            "Airbyte's job 1000 failed: no disk (source, system_error)",
            timedelta(seconds=30),
        )
    ]
    assert server.rows(
        "select name, namespace, generation_id, minimum_generation_id, records_committed"
        " from pipeline.sync_stream"
    ) == [(USERS, "", 7, 7, 3)]


def test_the_layers_find_the_catalog_as_it_was_for_the_sync(server: Server) -> None:
    shop = server.connect(stream(USERS), prefix="p_")
    stored = server.stored()
    shop.entries.append(stream(ORDERS))
    server.sync(stored)
    connection = load_connection(server.warehouse, "shop")
    assert [str(s.landing) for s in connection.streams] == ["landing.p_users", "landing.p_orders"]


def test_a_complete_full_refresh_is_a_snapshot(server: Server) -> None:
    server.connect(refreshed(USERS), stream(ORDERS))
    server.sync()
    assert server.jobs() == [(1000, "sync", "succeeded", True)]
    assert server.streams(1000) == {
        USERS: ("complete", True, 1),
        ORDERS: ("complete", False, 1),
    }


def test_a_snapshot_comes_after_all_that_was_read_before_its_job(server: Server) -> None:
    """Airbyte drops the fractions of seconds: a job of 12:00:00.9 was created at 12:00:00."""
    server.connect(refreshed(USERS))
    server.sync()
    assert server.rows("select snapshot_at - created_at from pipeline.sync") == [
        (timedelta(seconds=1),)
    ]


def test_a_full_refresh_of_an_empty_source_is_a_snapshot_of_nothing(server: Server) -> None:
    shop = server.connect(refreshed(USERS), stream(ORDERS))
    server.ledger.plan(
        shop, "succeeded", attempts=[Attempt("succeeded", [Stats(ORDERS, None, 2, 2)])]
    )
    outcome = server.sync()
    assert server.streams(1000)[USERS] == ("complete", True, 0)
    assert by_name(outcome)[USERS].touched_days == ()


def test_a_full_refresh_without_counts_is_no_snapshot(server: Server) -> None:
    """Or a stream that Airbyte forgot to count would be one whose keys have all vanished."""
    shop = server.connect(refreshed(USERS), refreshed(ORDERS))
    server.double.misbehave("get_without_logs", uncounted(shop))
    outcome = server.sync()
    assert by_name(outcome)[USERS].counts is None
    assert server.streams(1000) == {USERS: ("complete", False, 0), ORDERS: ("complete", False, 0)}


def uncounted(shop: Connection) -> Answer:
    """What Airbyte says of the next job: 7 records, and 2 of them in a stream that it names."""
    job = {
        "id": 1000,
        "configType": "sync",
        "configId": shop.id,
        "createdAt": 1767225600,
        "updatedAt": 1767225660,
        "status": "succeeded",
        "aggregatedStats": {"recordsCommitted": 7},
        "streamAggregatedStats": [{"streamName": USERS, "recordsCommitted": 2}],
    }
    return Answer(200, {"job": job, "attempts": []})


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, {"job": {"id": "x"}, "attempts": []})])
def test_30866_a_server_that_tells_no_more_of_jobs_still_syncs(
    server: Server, answer: Answer
) -> None:
    server.connect(refreshed(USERS))
    server.double.misbehave("(get_without_logs|getForJob)", answer, times=2)
    outcome = server.sync()
    assert by_name(outcome)[USERS].counts is None
    assert server.jobs() == [(1000, "sync", "succeeded", True)]
    assert server.streams(1000) == {USERS: ("complete", False, 0)}
    assert any(note.startswith("job 1000 is recorded without counts") for note in server.notes)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_17_of_a_sync_that_ended_early_the_streams_that_are_complete_count(
    server: Server, status: str
) -> None:
    """A table that is replaced as a whole is so only where the whole sync succeeds."""
    shop = server.connect(
        stream(USERS), stream(ORDERS), refreshed(TAGS), refreshed("log", "append")
    )
    stats = [
        Stats(USERS, None, 3, 3, status="COMPLETE"),
        Stats(ORDERS, None, 2, 1, status="INCOMPLETE"),
        Stats(TAGS, None, 4, 4, status="COMPLETE"),
        Stats("log", None, 5, 5, status="COMPLETE"),
    ]
    before = Attempt("failed", [Stats(ORDERS, None, 1, 1, status="COMPLETE")], [failure("x")])
    attempts = [before, Attempt("failed", stats, [failure("orders is locked")])]
    server.ledger.plan(shop, status, attempts=attempts)
    outcome = server.sync()
    complete = {name: synced.complete for name, synced in by_name(outcome).items()}
    assert complete == {USERS: True, ORDERS: False, TAGS: False, "log": True}
    assert server.jobs() == [(1000, "sync", status, False)]


def test_a_failed_sync_whose_streams_nobody_tells_of_has_completed_none(server: Server) -> None:
    shop = server.connect(stream(USERS))
    server.ledger.plan(shop, "failed", attempts=[Attempt("failed", [counts(3)])])
    server.double.misbehave("stream_statuses", Answer(404))
    assert not by_name(server.sync())[USERS].complete


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (
            [failure("Access denied", "config_error")],
            "failed: Access denied (source, config_error)",
        ),
        (
            [failure("a"), failure("b"), failure("a")],
            "failed: a (source, system_error); b (source,",
        ),
        ([failure(None)], "failed: source, system_error, without a message"),
        ([failure("two\nlines " + "x" * 9000)], "failed: two lines xxx"),
        ([], "failed, and does not say why"),
    ],
)
def test_3504_insight_a_failure_is_told_in_airbytes_words(
    server: Server, failures: list[Any], said: str
) -> None:
    shop = server.connect(stream(USERS))
    server.ledger.plan(shop, "failed", attempts=[Attempt("failed", [counts(0)], failures)])
    text = server.sync().failure
    assert text
    assert text.startswith(f"Airbyte's job 1000 {said}")
    assert "hunter2" not in text
    assert len(text) < 2100


@pytest.mark.parametrize(
    ("kind", "row", "full_refresh"),
    [
        ("refresh", (1000, "refresh", "succeeded", True), True),
        ("clear", (1000, "clear", "succeeded", False), False),
        ("reset", (1000, "reset", "succeeded", False), False),
        ("sync", (1000, "sync", "succeeded", True), False),
    ],
)
def test_what_others_had_done_before_is_recorded(
    server: Server, kind: str, row: tuple[Any, ...], full_refresh: bool
) -> None:
    shop = server.connect(stream(USERS), stream(ORDERS))
    job = server.ledger.finished_job(shop, kind)
    job.refreshed = [(USERS, None)]
    server.sync()
    assert server.jobs() == [row, (1001, "sync", "succeeded", True)]
    assert server.streams(1000)[USERS] == ("complete", full_refresh, 1)
    assert server.streams(1000)[ORDERS] == ("complete", False, 1)


def test_what_is_recorded_is_not_asked_for_again(server: Server) -> None:
    server.connect(stream(USERS))
    server.sync()
    server.sync()
    assert server.double.count("get_without_logs") == 2
    assert [row[0] for row in server.jobs()] == [1000, 1001]


def test_a_job_of_before_that_cannot_be_read_stops_nothing(server: Server) -> None:
    shop = server.connect(stream(USERS))
    server.ledger.finished_job(shop, "refresh")
    server.double.misbehave("get_without_logs", Answer(404))
    server.double.misbehave("GET .*/jobs/1000", Answer(404))
    server.sync()
    assert [row[0] for row in server.jobs()] == [1001]
    assert any("job 1000 of before is not recorded" in note for note in server.notes)


def test_jobs_of_before_that_cannot_be_listed_stop_nothing(server: Server) -> None:
    shop = server.connect(stream(USERS))
    server.ledger.plan(shop, lands=lambda job: server.double.misbehave("GET .*/jobs$", Answer(403)))
    assert server.sync().status == "succeeded"
    assert server.jobs() == [(1000, "sync", "succeeded", True)]
    assert any("are not recorded" in note for note in server.notes)


def test_10680_a_sync_that_outlived_its_run_is_followed_and_recorded_once(server: Server) -> None:
    shop = server.connect(stream(USERS))
    server.ledger.start_job(shop.id)
    server.warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status, run_id)"
        " values (%s, 1000, 'running', 'dead')",
        (shop.id,),
    )
    server.sync()
    assert server.jobs() == [(1000, "sync", "succeeded", True)]
    assert server.rows("select run_id from pipeline.sync") == [("run-1",)]


def test_while_one_run_syncs_a_connection_another_is_refused(
    server: Server, warehouse_url: str
) -> None:
    shop = server.connect(stream(USERS))
    stored = server.stored()
    with connect(warehouse_url) as other:
        take_lock(other, shop.id, "shop")
        with pytest.raises(BusyError, match=r"^connection shop is being synced by another run$"):
            server.sync(stored)
    assert server.double.count("POST .*/jobs$") == 0


def test_landing_tells_how_far_a_sync_has_read_and_which_days_it_touched(server: Server) -> None:
    """The job runs from the last minute of a year into the next."""
    shop = server.connect(stream(USERS), stream(ORDERS))
    server.ledger.plan(shop, "running", "succeeded")
    created = datetime(2025, 12, 31, 23, 59, 40, tzinfo=timezone.utc)
    server.ledger.first_job_at = created
    server.warehouse.execute(
        "create schema landing; create table landing.users (_airbyte_raw_id varchar,"
        " _airbyte_extracted_at timestamptz, _airbyte_meta jsonb)"
    )
    read_at = [created + timedelta(seconds=seconds) for seconds in (-9, 5, 12, 4000)]
    for at in read_at:
        server.warehouse.execute(
            "insert into landing.users values ('x', %s, %s)", (at, Jsonb({"sync_id": 1000}))
        )
    found = by_name(server.sync())
    assert found[USERS].last_extracted_at == read_at[2]
    assert found[USERS].touched_days == (date(2025, 12, 31),)
    assert found[ORDERS].last_extracted_at is None
    assert found[ORDERS].touched_days == (date(2025, 12, 31), date(2026, 1, 1))
    assert server.rows(
        "select name, last_extracted_at, touched_days from pipeline.sync_stream order by name"
    ) == [
        (ORDERS, None, [date(2025, 12, 31), date(2026, 1, 1)]),
        (USERS, read_at[2], [date(2025, 12, 31)]),
    ]


def test_the_state_after_a_sync_is_kept(server: Server) -> None:
    shop = server.connect(stream(USERS))
    states = [{"streamDescriptor": {"name": USERS}, "streamState": {"cursor": 3}}]
    server.ledger.states[shop.id] = {"stateType": "stream", "streamState": states}
    server.sync()
    assert server.rows("select name, version, job_id, state from pipeline.connector_state") == [
        (USERS, 1, 1000, {"cursor": 3})
    ]


def test_a_state_that_cannot_be_read_stops_nothing(server: Server) -> None:
    server.connect(stream(USERS))
    server.double.misbehave("state/get", Answer(404))
    assert server.sync().status == "succeeded"
    assert any("the state after job 1000 is not kept" in note for note in server.notes)


def test_a_landing_in_another_database_is_told(server: Server) -> None:
    server.connect(stream(USERS))
    server.sync()
    assert any("shop lands in the database atlas, and" in note for note in server.notes)


def test_a_connection_into_something_else_than_postgres_syncs_as_well(server: Server) -> None:
    odd = server.ledger.add_destination("bigquery")
    server.connect(stream(USERS, destination_mode="update"), destination_id=odd)
    assert by_name(server.sync())[USERS].complete
