"""Erasing where the source's deletions show as rows that are gone from landing."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import Stream
from atlas_dagster.subjects.erase import Mode
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, create_landing, read_navigate, rows
from atlas_dagster_tests.subjects.support import (
    CDC,
    build,
    catalogued,
    check_counts,
    erase,
    found,
    places,
)

PEOPLE = {"id": {"type": "integer"}, "email": {"type": "string"}, **CDC}
KEYS = {1: "ann@example.com", 2: "bob@example.com", 3: "cid@example.com"}


@pytest.fixture
def people(warehouse: PgConnection) -> Stream:
    (stream,) = catalogued(warehouse, {"people": PEOPLE}, mode="append_dedup")
    create_landing(warehouse, stream)
    sync(warehouse, stream, 1, upserts=(1, 2, 3))
    build(warehouse, stream)
    found(warehouse, stream, ("email",))
    return stream


def sync(
    connection: PgConnection,
    stream: Stream,
    day: int,
    upserts: tuple[int, ...] = (),
    deletes: tuple[int, ...] = (),
) -> None:
    """A sync of a day that upserts and deletes by key, as the destination does."""
    connection.execute("delete from landing.people where id = any(%s)", ([*upserts, *deletes],))
    for key in upserts:
        connection.execute(
            "insert into landing.people values (%s, %s, %s, 0, %s, %s, null, %s)",
            (f"{day}-{key}", at(day), Jsonb({"sync_id": day}), key, KEYS[key], day),
        )
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, status, created_at, ended_at,"
        " snapshot_at) values (%s, %s, 'succeeded', %s, now(), %s)",
        (stream.connection_id, day, at(day), at(day)),
    )
    connection.execute(
        "insert into pipeline.sync_stream (connection_id, job_id, name, generation_id,"
        " minimum_generation_id, status, last_extracted_at)"
        " values (%s, %s, 'people', 0, 0, 'complete', %s)",
        (stream.connection_id, day, at(day, 1)),
    )


def lines(connection: PgConnection, stream: Stream) -> list[tuple[str, str, str | None]]:
    return sorted(
        (s.natural_key, s.data["email"], s.closed_by) for s in read_navigate(connection, stream)
    )


def test_a_tombstone_is_erased_with_the_version_that_it_repeats(
    warehouse: PgConnection, people: Stream
) -> None:
    sync(warehouse, people, 2, deletes=(1,))
    build(warehouse, people)
    assert len(rows(warehouse, people, "explore")) == 4
    erase(warehouse, KEYS[1])
    assert lines(warehouse, people)[0] == ("1", "<erased>", "delete")
    assert places(warehouse, KEYS[1]) == []
    erase(warehouse, keys=["crm/people=1"], mode=Mode.REMOVE)
    assert len(rows(warehouse, people, "explore")) == 2
    check_counts(warehouse)


@pytest.mark.parametrize("mode", Mode)
def test_a_deletion_after_the_erasure_brings_nothing_back(
    warehouse: PgConnection, people: Stream, mode: Mode
) -> None:
    erase(warehouse, KEYS[1], mode=mode)
    sync(warehouse, people, 2, deletes=(1,))
    build(warehouse, people)
    expected = [("1", "<erased>", "delete")] if mode is Mode.REDACT else []
    assert [line for line in lines(warehouse, people) if line[0] == "1"] == expected
    assert places(warehouse, KEYS[1]) == []


def test_what_lay_in_landing_is_not_remembered_of_who_was_removed(
    warehouse: PgConnection, people: Stream
) -> None:
    erase(warehouse, KEYS[1], mode=Mode.REMOVE)
    remembered = warehouse.execute('select raw_id from pipeline."crm__people__landed" order by 1')
    assert remembered.fetchall() == [("1-2",), ("1-3",)]


@pytest.mark.parametrize("mode", Mode)
def test_a_personal_key_that_the_source_changes_later_is_new_data(
    warehouse: PgConnection, people: Stream, mode: Mode
) -> None:
    erase(warehouse, KEYS[2], mode=mode)
    warehouse.execute("update pipeline.erased_key set erased_at = %s", (at(1, 5),))
    warehouse.execute("update pipeline.erased_value set erased_at = %s", (at(1, 5),))
    sync(warehouse, people, 2, upserts=(2,))
    build(warehouse, people)
    bob = [line for line in lines(warehouse, people) if line[0] == "2"]
    assert bob[-1] == ("2", KEYS[2], None)
    assert len(bob) == (2 if mode is Mode.REDACT else 1)
    check_counts(warehouse)
