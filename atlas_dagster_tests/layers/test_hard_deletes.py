"""A row that a CDC source deletes vanishes from landing: the layers know that it was deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import DestinationMode, Stream
from atlas_dagster.layers.explore import ExploreResult, load_explore
from atlas_dagster.layers.snapshots import accept_snapshot, open_refusals
from atlas_dagster.layers.tombstones import find_vanished
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    create_landing,
    make_stream,
    navigate,
    purge,
    read_navigate,
    rows,
)

STREAM = replace(
    make_stream(
        {
            "id": {"type": "integer"},
            "name": {"type": "string"},
            "seen_at": {"type": "string", "format": "date-time"},
            "_ab_cdc_deleted_at": {"type": "string"},
            "_ab_cdc_lsn": {"type": "number"},
        }
    ),
    destination_mode=DestinationMode.APPEND_DEDUP,
)
EVERYTHING = 1.0


@pytest.fixture(autouse=True)
def landing(warehouse: PgConnection) -> None:
    warehouse.execute(
        'truncate pipeline.sync cascade; drop table if exists pipeline."crm__users__landed"'
    )
    create_landing(warehouse, STREAM)


def sync(
    connection: PgConnection,
    day: int,
    upserts: tuple[int, ...] = (),
    deletes: tuple[int, ...] = (),
    *,
    status: str = "succeeded",
    stream_status: str = "complete",
    job_type: str = "sync",
    full_refresh: bool = False,
) -> None:
    """A sync of a day of January that upserts and deletes by key, as the destination does."""
    connection.execute("delete from landing.users where id = any(%s)", ([*upserts, *deletes],))
    for key in upserts:
        connection.execute(
            "insert into landing.users values (%s, %s, %s, 0, %s, 'Ann', %s, null, %s)",
            (f"{day}-{key}", at(day), Jsonb({"sync_id": day}), key, at(1), day),
        )
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, job_type, status, created_at, ended_at,"
        " snapshot_at) values (%s, %s, %s, %s, %s, now(), %s)",
        (
            STREAM.connection_id,
            day,
            job_type,
            status,
            at(day),
            at(day) if status == "succeeded" else None,
        ),
    )
    connection.execute(
        "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
        " minimum_generation_id, status, full_refresh, records_committed, touched_days,"
        " last_extracted_at) values (%s, %s, %s, 0, 0, %s, %s, %s, %s, %s)",
        (
            STREAM.connection_id,
            day,
            STREAM.name,
            stream_status,
            full_refresh,
            len(upserts),
            [at(day).date()] if upserts else [],
            at(day, 1),
        ),
    )


def build(
    connection: PgConnection,
    stream: Stream = STREAM,
    most_vanishing: float = EVERYTHING,
    rules: StreamRules | None = None,
) -> ExploreResult:
    result = load_explore(connection, stream, "run", most_vanishing)
    chart(connection, stream, rules or StreamRules())
    navigate(connection, stream, rules or StreamRules())
    return result


def lines(connection: PgConnection) -> list[tuple[int, datetime, datetime | None, str | None]]:
    return sorted(
        (row.data["id"], row.valid_from, row.valid_to, row.closed_by)
        for row in read_navigate(connection, STREAM)
    )


def explored(connection: PgConnection) -> list[str]:
    return [row["_airbyte_raw_id"] for row in rows(connection, STREAM, "explore")]


def test_a_row_that_vanished_is_deleted_at_the_last_instant_that_the_sync_read_of(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2,))
    result = build(warehouse)
    assert result.days == {at(2).date(): 1}
    assert (result.rows, result.total) == (1, 3)
    assert lines(warehouse) == [(1, at(1), None, None), (2, at(1), at(2, 1), "delete")]


def test_a_tombstone_repeats_the_version_that_vanished(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1,))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(1,))
    build(warehouse)
    version, tombstone = rows(warehouse, STREAM, "explore")
    assert tombstone["_airbyte_raw_id"] == f"tombstone-{version['_airbyte_raw_id']}"
    assert tombstone["_atlas_sync_id"] == 2
    assert tombstone["data"].pop("_ab_cdc_deleted_at") == "2024-01-02T01:00:00+00:00"
    assert tombstone["data"] | {"_ab_cdc_deleted_at": None} == version["data"]


def test_an_update_is_no_deletion(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (1,))
    assert build(warehouse).rows == 1
    assert {line[2:] for line in lines(warehouse)} == {(None, None)}


def test_a_deletion_is_told_once(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2,))
    build(warehouse)
    before = lines(warehouse)
    assert build(warehouse).rows == 0
    sync(warehouse, 3, (1,))
    build(warehouse)
    assert explored(warehouse) == ["1-1", "1-2", "3-1", "tombstone-1-2"]
    assert lines(warehouse) == before


def test_a_key_that_comes_back_opens_a_new_segment(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1,))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(1,))
    build(warehouse)
    sync(warehouse, 3, (1,))
    build(warehouse)
    sync(warehouse, 4, (), deletes=(1,))
    build(warehouse)
    assert lines(warehouse) == [
        (1, at(1), at(2, 1), "delete"),
        (1, at(3), at(4, 1), "delete"),
    ]


def test_a_key_deleted_before_its_last_version_was_explored_is_deleted_after_it(
    warehouse: PgConnection,
) -> None:
    """The version is younger than all that the sync says it has read of."""
    sync(warehouse, 1, (1,))
    warehouse.execute("update landing.users set _airbyte_extracted_at = %s", (at(9),))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(1,))
    build(warehouse)
    assert lines(warehouse) == [(1, at(9), at(9) + timedelta(microseconds=1), "delete")]


def test_a_version_that_lands_while_explore_is_loaded_hides_no_deletion(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, (1,))
    build(warehouse)
    sync(warehouse, 2, (1,))  # after the load has read landing, before it looks for what is gone
    with warehouse.transaction():
        assert find_vanished(warehouse, STREAM, EVERYTHING) is None
    sync(warehouse, 3, (), deletes=(1,))  # explore never saw the version of sync 2
    build(warehouse)
    assert lines(warehouse) == [(1, at(1), at(3, 1), "delete")]


@pytest.mark.parametrize(
    ("status", "stream_status"),
    [("failed", "incomplete"), ("cancelled", "incomplete"), ("failed", "complete")],
)
def test_a_sync_that_did_not_end_well_says_nothing_of_what_is_gone(
    warehouse: PgConnection, status: str, stream_status: str
) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2,), status=status, stream_status=stream_status)
    assert build(warehouse).rows == 0
    sync(warehouse, 3, ())
    assert build(warehouse).days == {at(3).date(): 1}


def test_a_clear_says_nothing_and_the_sync_after_it_does(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2, 3))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(1, 2, 3), job_type="clear")
    assert build(warehouse).rows == 0
    assert {line[2] for line in lines(warehouse)} == {None}
    sync(warehouse, 3, (1, 2))
    build(warehouse)
    assert lines(warehouse) == [
        (1, at(1), None, None),
        (2, at(1), None, None),
        (3, at(1), at(3, 1), "delete"),
    ]


def test_a_refresh_that_truncates_speaks_as_a_snapshot(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (1,), deletes=(2,), job_type="refresh", full_refresh=True)
    assert build(warehouse).rows == 1
    assert lines(warehouse) == [(1, at(1), None, None), (2, at(1), at(2), "delete")]


def test_a_refresh_that_retains_speaks_as_a_snapshot_though_the_row_is_still_there(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (1,), job_type="refresh", full_refresh=True)
    build(warehouse)
    assert lines(warehouse) == [(1, at(1), None, None), (2, at(1), at(2), "delete")]


def test_more_than_half_of_the_keys_gone_is_not_believed_until_accepted(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, (1, 2, 3))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2, 3))
    assert build(warehouse, most_vanishing=0.5).rows == 0
    (refusal,) = open_refusals(warehouse, STREAM.table_name)
    assert (refusal.job_id, refusal.vanishing, refusal.known) == (2, 2, 3)
    accept_snapshot(warehouse, STREAM.table_name, 2)
    assert build(warehouse, most_vanishing=0.5).rows == 2
    assert open_refusals(warehouse, STREAM.table_name) == []


def test_a_newer_sync_tells_anew_what_was_refused(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2, 3))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2, 3))
    build(warehouse, most_vanishing=0.5)
    sync(warehouse, 3, (1,))
    build(warehouse, most_vanishing=0.5)
    assert [r.job_id for r in open_refusals(warehouse, STREAM.table_name)] == [3]
    sync(warehouse, 4, (3,))
    assert build(warehouse, most_vanishing=0.5).days == {at(4).date(): 2}
    assert open_refusals(warehouse, STREAM.table_name) == []


def test_what_was_accepted_holds_for_the_syncs_that_came_since(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2, 3, 4))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2, 3, 4))
    build(warehouse, most_vanishing=0.5)
    accept_snapshot(warehouse, STREAM.table_name, 2)
    sync(warehouse, 3, (1,))
    assert build(warehouse, most_vanishing=0.5).days == {at(3).date(): 4}
    sync(warehouse, 4, (2, 3, 4))
    build(warehouse)
    sync(warehouse, 5, (), deletes=(2, 3, 4))
    assert build(warehouse, most_vanishing=0.5).rows == 0, "it was accepted once"


def test_more_than_was_accepted_is_refused_again(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2, 3, 4))
    build(warehouse)
    sync(warehouse, 2, (), deletes=(2, 3, 4))
    build(warehouse, most_vanishing=0.5)
    accept_snapshot(warehouse, STREAM.table_name, 2)
    sync(warehouse, 3, (), deletes=(1,))
    assert build(warehouse, most_vanishing=0.5).rows == 0
    assert [r.job_id for r in open_refusals(warehouse, STREAM.table_name)] == [3]


def test_a_refresh_that_was_refused_stays_refused(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2, 3, 4))
    build(warehouse)
    sync(warehouse, 2, (1,), job_type="refresh", full_refresh=True)
    build(warehouse)
    sync(warehouse, 3, (), deletes=(2,))
    build(warehouse)
    assert [r.job_id for r in open_refusals(warehouse, STREAM.table_name)] == [2]


def test_a_tombstone_counts_at_its_own_instant_where_a_time_column_is_named(
    warehouse: PgConnection,
) -> None:
    rules = StreamRules(time_column="seen_at")
    sync(warehouse, 2, (1,))
    build(warehouse, rules=rules)
    sync(warehouse, 3, (), deletes=(1,))
    build(warehouse, rules=rules)
    assert lines(warehouse) == [(1, at(1), at(3, 1), "delete")]


def test_a_key_that_is_no_key_vanishes_without_a_word(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1,))
    warehouse.execute("insert into landing.users values ('x', now(), '{}', 0, null)")
    build(warehouse)
    warehouse.execute("delete from landing.users where id is null")
    sync(warehouse, 2, ())
    assert build(warehouse).rows == 0


def test_an_explore_of_before_knows_from_then_on(warehouse: PgConnection) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    warehouse.execute('drop table pipeline."crm__users__landed"')
    sync(warehouse, 2, (1,))
    build(warehouse)
    sync(warehouse, 3, (), deletes=(2,))
    assert build(warehouse).days == {at(3).date(): 1}


def test_a_version_that_lies_in_landing_outlives_retention_and_its_deletion_is_found(
    warehouse: PgConnection,
) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse)
    sync(warehouse, 2, (1,))
    build(warehouse)
    assert purge(warehouse, STREAM, at(9).date()).going == {at(1).date(): 1}
    assert explored(warehouse) == ["1-2", "2-1"]
    sync(warehouse, 3, (), deletes=(2,))
    build(warehouse)
    assert lines(warehouse)[1] == (2, at(1), at(3, 1), "delete")


@pytest.mark.parametrize(
    "stream",
    [
        replace(STREAM, soft_deletes=True),
        replace(STREAM, destination_mode=DestinationMode.APPEND),
        replace(STREAM, columns=tuple(c for c in STREAM.columns if not c.name.startswith("_ab"))),
    ],
    ids=["soft deletes", "append", "not CDC"],
)
def test_only_a_destination_that_removes_rows_is_watched(
    warehouse: PgConnection, stream: Stream
) -> None:
    sync(warehouse, 1, (1, 2))
    build(warehouse, stream)
    sync(warehouse, 2, (), deletes=(2,))
    assert build(warehouse, stream).rows == 0


def test_the_key_is_found_whatever_its_type(warehouse: PgConnection) -> None:
    warehouse.execute("alter table landing.users alter id type numeric")
    (key,) = make_stream({"id": {"type": "number"}}).columns
    retyped = replace(STREAM, columns=(key, *STREAM.columns[1:]))
    sync(warehouse, 1, (1, 2))
    build(warehouse, retyped)
    sync(warehouse, 2, (1,), deletes=(2,))
    assert build(warehouse, retyped).rows == 2
