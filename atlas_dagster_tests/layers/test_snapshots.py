"""A complete full refresh says what is gone; one that says too much is not believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from atlas_dagster.layers.snapshots import accept_snapshot, open_refusals
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    chart,
    land,
    load,
    make_stream,
    navigate,
    read_navigate,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import drop_navigate

STREAM = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
DAY = datetime.fromisoformat("2024-01-01T12:00:00+00:00")
Line = tuple[int, int, "int | None", "str | None"]


def sync(
    connection: PgConnection,
    day: int,
    ids: Sequence[int | None],
    *,
    succeeded: bool = True,
    rules: StreamRules | None = None,
) -> int:
    """A full refresh on a day of January that delivers these keys; returns refused snapshots."""
    if connection.execute("select to_regclass('landing.users')").fetchone() == (None,):
        start_layers(connection, STREAM)
        connection.execute("delete from pipeline.sync")
    started = DAY.replace(day=day)
    delivered = [
        Version(f"{day}-{number}", started.replace(hour=13), {"id": key, "name": "Ann"}, day)
        for number, key in enumerate(ids)
    ]
    land(connection, STREAM, delivered)
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, status, created_at, ended_at,"
        " snapshot_at) values (%s, %s, %s, %s, now(), %s)",
        (
            STREAM.connection_id,
            day,
            "succeeded" if succeeded else "failed",
            started,
            started if succeeded else None,
        ),
    )
    connection.execute(
        "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
        " minimum_generation_id, full_refresh, status, records_committed, touched_days)"
        " values (%s, %s, %s, %s, 0, true, %s, %s, %s)",
        (
            STREAM.connection_id,
            day,
            STREAM.name,
            day,
            "complete" if succeeded else "incomplete",
            len(ids),
            [started.date()] if ids else [],
        ),
    )
    return build(connection, day, rules)


def build(connection: PgConnection, day: int, rules: StreamRules | None = None) -> int:
    chosen = DAY.replace(day=day).date()
    load(connection, STREAM)
    chart(connection, STREAM, rules or StreamRules(), (chosen, chosen))
    return navigate(connection, STREAM, rules or StreamRules(), (chosen, chosen)).refused


def lines(connection: PgConnection) -> list[Line]:
    """Key, first and last day, and how it ended, of each segment."""
    return sorted(
        (
            row.data["id"],
            row.valid_from.day,
            row.valid_to.day if row.valid_to else None,
            row.closed_by,
        )
        for row in read_navigate(connection, STREAM)
    )


def test_a_key_that_a_full_refresh_does_not_deliver_is_deleted_at_its_instant(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, [1, 2, 3])
    sync(warehouse, 2, [1, 2])
    assert lines(warehouse) == [(1, 1, None, None), (2, 1, None, None), (3, 1, 2, "delete")]
    sync(warehouse, 3, [1, 2, 3])
    assert lines(warehouse)[2:] == [(3, 1, 2, "delete"), (3, 3, None, None)]


def test_all_rows_of_a_full_refresh_speak_at_its_one_instant(warehouse: PgConnection) -> None:
    sync(warehouse, 1, [1])
    (row,) = read_navigate(warehouse, STREAM)
    assert row.valid_from == DAY


def test_a_key_that_a_full_refresh_delivers_twice_counts_once_and_null_keys_do_not_count(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, [1, 1, None, 2, None])
    assert lines(warehouse) == [(1, 1, None, None), (2, 1, None, None)]
    assert sync(warehouse, 2, [2, None, 2, None]) == 0
    assert lines(warehouse) == [(1, 1, 2, "delete"), (2, 1, None, None)]
    assert sync(warehouse, 3, [None] * 5) == 1


def test_a_full_refresh_that_failed_says_nothing_of_what_it_did_not_deliver(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, [1, 2, 3])
    sync(warehouse, 2, [1], succeeded=False)
    assert lines(warehouse) == [(1, 1, None, None), (2, 1, None, None), (3, 1, None, None)]


def test_a_source_that_suddenly_returns_nothing_closes_nothing(warehouse: PgConnection) -> None:
    sync(warehouse, 1, [1, 2, 3])
    assert sync(warehouse, 2, []) == 1
    assert [segment[2] for segment in lines(warehouse)] == [None, None, None]
    (refusal,) = open_refusals(warehouse, STREAM.table_name)
    assert (refusal.job_id, refusal.vanishing, refusal.known) == (2, 3, 3)


def test_half_of_the_keys_may_vanish_and_one_more_may_not(warehouse: PgConnection) -> None:
    sync(warehouse, 1, [1, 2, 3, 4])
    assert sync(warehouse, 2, [1, 2]) == 0
    assert sync(warehouse, 3, [5]) == 1
    assert [segment[0] for segment in lines(warehouse) if segment[2] is None] == [1, 2, 5]


def test_a_first_build_believes_no_more_than_one_at_a_time_does(warehouse: PgConnection) -> None:
    for day, ids in [(1, [1, 2, 3, 4]), (2, []), (3, [1, 2, 3]), (4, [3]), (5, [2, 3])]:
        sync(warehouse, day, ids)
    before = lines(warehouse), refusals(warehouse)
    assert [job_id for job_id, *_ in before[1]] == [2, 4]
    drop_navigate(warehouse, STREAM)
    warehouse.execute(
        "delete from pipeline.layer_table where layer = 'navigate';"
        "delete from pipeline.snapshot_refusal"
    )
    assert build(warehouse, 5) == 2
    assert (lines(warehouse), refusals(warehouse)) == before


def refusals(connection: PgConnection) -> list[tuple[int, int, int]]:
    return [
        (refusal.job_id, refusal.vanishing, refusal.known)
        for refusal in open_refusals(connection, STREAM.table_name)
    ]


def test_the_share_can_be_set_for_a_stream(warehouse: PgConnection) -> None:
    everything = StreamRules(most_vanishing=1.0)
    sync(warehouse, 1, [1, 2, 3], rules=everything)
    assert sync(warehouse, 2, [], rules=everything) == 0
    assert {segment[3] for segment in lines(warehouse)} == {"delete"}


def test_a_refused_snapshot_stays_refused_by_a_rebuild_and_takes_effect_once_accepted(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, [1, 2, 3])
    sync(warehouse, 2, [])
    drop_navigate(warehouse, STREAM)
    assert build(warehouse, 2) == 0
    assert [segment[2] for segment in lines(warehouse)] == [None, None, None]
    assert accept_snapshot(warehouse, STREAM.table_name, 2)
    assert not accept_snapshot(warehouse, STREAM.table_name, 2)
    assert build(warehouse, 2) == 0
    assert {segment[2:] for segment in lines(warehouse)} == {(2, "delete")}
    assert open_refusals(warehouse, STREAM.table_name) == []
