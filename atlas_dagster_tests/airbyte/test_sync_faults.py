"""What bad connector output and lost servers get: one clear sentence, nothing lost or doubled."""

from __future__ import annotations

import time

import psycopg
import pytest

from atlas_dagster.airbyte import reader
from atlas_dagster.errors import BusyError
from atlas_dagster_tests.airbyte.scripted import (
    APPEND,
    DEDUP,
    OVERWRITE,
    Json,
    Source,
    error,
    is_alive,
    raw_record,
    record,
    state,
    status,
    table,
)

ANNA, BEN = {"id": 1, "name": "Anna"}, {"id": 2, "name": "Ben"}


def names(source: Source) -> list[str | None]:
    return [
        row[0] for row in source.rows("select name from landing.users order by _airbyte_raw_id")
    ]


def changes(source: Source) -> list[object]:
    return [
        row[0]
        for row in source.rows(
            "select _airbyte_meta -> 'changes' from landing.users order by _airbyte_raw_id"
        )
    ]


def ledger(source: Source) -> list[tuple[str, str | None]]:
    return source.rows("select status, failure from pipeline.sync order by job_id")


def test_a_connector_that_exits_1_fails_the_job_with_its_own_sentence(source: Source) -> None:
    sync = source.sync(record("users", ANNA), error("The key was revoked"), {"exit": 1})
    assert sync.status == "failed"
    assert sync.failure is not None
    assert sync.failure.endswith("failed with exit code 1: The key was revoked")
    assert ledger(source) == [("failed", sync.failure)]


def test_a_connector_without_an_error_message_fails_with_its_last_words(source: Source) -> None:
    sync = source.sync({"stderr": "Traceback"}, {"stderr": "KeyError: 'x'"}, {"exit": 3})
    assert sync.failure is not None
    assert sync.failure.endswith("failed with exit code 3: KeyError: 'x'")


GENERIC = "Something went wrong in the connector. See the logs for more details."
STACK = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nKeyError: 'x'"


def log_error(text: str) -> Json:
    return {"say": {"type": "LOG", "log": {"level": "ERROR", "message": text}}}


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        (
            [log_error("other"), error(GENERIC, internal_message="no column\n name")],
            "no column name",
        ),
        ([error(GENERIC, internal_message=STACK)], "KeyError: 'x'"),
        ([log_error(f"Stream users: {STACK}"), error(GENERIC)], "KeyError: 'x'"),
        ([error(GENERIC), {"stderr": "KeyError: 'y'"}], "KeyError: 'y'"),
        ([error(GENERIC)], "no reason given"),
        ([error(GENERIC, internal_message="x" * 5000)], "x" * 399 + "…"),
    ],
)
def test_an_error_that_says_only_that_something_went_wrong_is_told_by_its_cause(
    source: Source, steps: list[Json], cause: str
) -> None:
    failure = source.sync(*steps, {"exit": 1}).failure
    assert failure is not None
    assert failure.endswith(f"failed with exit code 1: {cause}")


def test_no_secret_stands_in_the_cause_where_it_is_cut(source: Source) -> None:
    source.scenario["spec"] = {"properties": {"token": {"airbyte_secret": True}}}
    source.config = {"token": "s3cret-token"}
    cause = "x" * 392 + " s3cret-token"
    failure = source.sync(error(GENERIC, internal_message=cause), {"exit": 1}).failure
    assert failure is not None
    assert failure.endswith("x ****")


def test_a_trace_error_fails_the_job_even_with_exit_code_0(source: Source) -> None:
    assert source.sync(record("users", ANNA), error("half of it is missing")).status == "failed"


def test_rows_after_the_last_state_of_a_failed_sync_are_read_again_and_not_doubled(
    source: Source,
) -> None:
    source.sync(record("users", ANNA), state("users", {"id": 1}), record("users", BEN), {"exit": 1})
    assert names(source) == ["Anna"]
    source.sync(record("users", BEN), state("users", {"id": 2}))
    assert source.seen("state")[0]["stream"]["stream_state"] == {"id": 1}
    assert names(source) == ["Anna", "Ben"]


def test_garbage_alone_fails_the_job(source: Source) -> None:
    sync = source.sync({"write": "Segmentation fault\n"}, {"write": "bye\n"})
    assert sync.failure is not None
    assert sync.failure.endswith("printed 2 lines, and none is of the Airbyte protocol")


def test_log_lines_among_the_messages_do_no_harm(source: Source) -> None:
    sync = source.sync({"write": "hello {\n"}, record("users", ANNA), {"write": '{"level": 1}\n'})
    assert (sync.status, names(source)) == ("succeeded", ["Anna"])


@pytest.mark.parametrize(
    "half", ['{"type": "RECORD", "record": {"stream": "users", "da', '{"a": 1}']
)
def test_half_a_line_at_the_end_is_an_error_and_never_a_record(source: Source, half: str) -> None:
    sync = source.sync(record("users", ANNA), state("users", 1), {"write": half})
    assert sync.failure == (
        f"the connector's output ends in the middle of a line, after {len(half)} bytes of it"
    )
    assert names(source) == ["Anna"]


def test_a_broken_record_in_the_middle_fails_the_job(source: Source) -> None:
    sync = source.sync({"write": '{"type": "RECORD", "record": {"str\n'}, record("users", ANNA))
    assert sync.failure is not None
    assert sync.failure.startswith("the connector broke the Airbyte protocol: ")


def test_nan_becomes_null_with_a_change(source: Source) -> None:
    source.sync(raw_record("users", '{"id": NaN, "name": "Anna"}'), record("users", BEN))
    assert source.rows("select id, name from landing.users order by name") == [
        (None, "Anna"),
        (2, "Ben"),
    ]
    change = {"field": "id", "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"}
    assert changes(source) == [[change], []]


def test_a_number_that_no_numeric_holds_becomes_null_and_its_batch_lands(source: Source) -> None:
    source.catalog(table("users", {"id": {"type": "number"}, "name": {"type": "string"}}))
    source.sync(raw_record("users", '{"id": 1e999999, "name": "Anna"}'), record("users", BEN))
    assert source.rows("select id, name from landing.users order by name") == [
        (None, "Anna"),
        (2, "Ben"),
    ]


TEXTS = [
    (r'"a\u0000b"', "ab"),
    (r'"\ud800!"', "\ufffd!"),
    (r'"\ud83d\ude00"', "\U0001f600"),
    ('"caf\xe9"', "caf\ufffd"),  # latin-1, not UTF-8
    (r'"back\\slash\ttab\nline"', "back\\slash\ttab\nline"),
    (r'"\\u0000"', "\\u0000"),
    ('"\\\\N"', "\\N"),
]


def test_texts_arrive_as_postgres_can_hold_them(source: Source) -> None:
    source.sync(*(raw_record("users", f'{{"id": 1, "name": {text}}}') for text, _ in TEXTS))
    assert names(source) == [stored for _, stored in TEXTS]


def test_a_record_of_5_mb_lands_whole(source: Source) -> None:
    source.sync(record("users", {"id": 1, "name": "x" * 5_000_000}), record("users", BEN))
    assert source.rows("select id, length(name) from landing.users order by id") == [
        (1, 5_000_000),
        (2, 3),
    ]


def test_an_integer_beyond_64_bits_is_nulled_with_its_reason(source: Source) -> None:
    source.sync(record("users", {"id": 2**63, "name": "Anna"}), record("users", ANNA))
    assert source.rows("select id from landing.users order by _airbyte_raw_id") == [(None,), (1,)]
    change = {"field": "id", "change": "NULLED", "reason": "DESTINATION_FIELD_SIZE_LIMITATION"}
    assert changes(source) == [[change], []]


def test_records_of_an_undeclared_stream_are_dropped_with_one_warning(source: Source) -> None:
    sync = source.sync(record("ghosts", ANNA), record("users", ANNA), record("ghosts", BEN))
    assert names(source) == ["Anna"]
    assert list(sync.notes) == [
        ("WARN", "records of stream ghosts are dropped: it is not in the catalog")
    ]


def test_the_state_of_an_unknown_stream_is_dropped_with_one_warning(source: Source) -> None:
    sync = source.sync(state("ghosts", 1), record("users", ANNA), state("users", 1))
    assert sync.status == "succeeded"
    assert list(sync.notes) == [
        ("WARN", "the state of stream ghosts is dropped: it is not in the catalog")
    ]
    assert source.rows("select name from pipeline.connector_state") == [("users",)]


def test_a_state_that_counts_other_records_than_came_is_a_warning(source: Source) -> None:
    sync = source.sync(record("users", ANNA), state("users", 1, sourceStats={"recordCount": 2.0}))
    assert list(sync.notes) == [("WARN", "stream users: its state counts 2 records, 1 came")]


def test_a_cursor_that_goes_backwards_loses_to_the_row_that_is_there(source: Source) -> None:
    source.mode = DEDUP
    source.catalog(
        table("users", {"id": {"type": "integer"}, "at": {"type": "integer"}}, cursor="at")
    )
    source.sync(record("users", {"id": 1, "at": 9}), state("users", 9))
    sync = source.sync(record("users", {"id": 1, "at": 3}), record("users", {"id": 2, "at": 4}))
    assert sync.status == "succeeded"
    assert source.rows("select id, at from landing.users order by id") == [(1, 9), (2, 4)]


def test_a_silent_connector_is_stopped(source: Source) -> None:
    source.heartbeat(0.3)
    sync = source.sync(record("users", ANNA), state("users", 1), {"wait": "never"})
    assert sync.failure is not None
    assert sync.failure.startswith("the connector was silent for ")
    assert names(source) == ["Anna"]
    assert not any(map(is_alive, source.pids()))


def test_a_child_that_outlives_the_connector_does_not_hold_the_sync_up(source: Source) -> None:
    assert source.sync(record("users", ANNA), {"fork": 1}).status == "succeeded"
    assert names(source) == ["Anna"]


def test_a_cancelled_sync_keeps_what_its_states_cover(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "FLUSH_SECONDS", 0.0)
    sync = source.open(record("users", ANNA), state("users", 1), {"wait": "never"})
    sync.start()
    wait_for_rows(source)
    sync.cancel()
    assert sync.join(30)
    assert (sync.status, names(source)) == ("cancelled", ["Anna"])
    assert not any(map(is_alive, source.pids()))


def test_two_syncs_of_one_connection_at_once_are_refused(source: Source) -> None:
    first = source.open(record("users", ANNA))
    with pytest.raises(BusyError, match="connection scripted is being synced by another run"):
        source.open()
    first.run()
    assert source.sync(record("users", BEN)).status == "succeeded"
    assert names(source) == ["Anna", "Ben"]


def test_a_lost_postgres_fails_the_sync_and_the_next_one_goes_on(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "FLUSH_SECONDS", 0.0)
    sync = source.open(
        *(record("users", ANNA), state("users", 1)),
        {"wait": "lost"},
        *(record("users", BEN), state("users", 2)),
    )
    sync.start()
    wait_for_rows(source)
    source.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'atlas sync scripted'"
    )
    source.let("lost")
    assert sync.join(30)
    assert sync.failure is not None
    assert sync.failure.startswith("PostgreSQL was lost during the sync: ")
    assert names(source) == ["Anna"]
    source.sync(record("users", BEN), state("users", 2))
    assert source.seen("state")[0]["stream"]["stream_state"] == 1
    assert names(source) == ["Anna", "Ben"]
    assert not any(map(is_alive, source.pids()))


def test_a_table_stays_as_it_was_when_an_overwrite_fails(source: Source) -> None:
    source.mode = OVERWRITE
    source.sync(record("users", ANNA))
    source.sync(record("users", BEN), state("users", 1), {"exit": 1})
    assert names(source) == ["Anna"]
    source.sync(record("users", BEN))
    assert names(source) == ["Ben"]


def test_a_job_that_its_process_left_behind_is_failed_by_the_next(source: Source) -> None:
    dead = source.open(record("users", ANNA))
    with psycopg.connect(source.warehouse_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'atlas sync scripted'"
        )
    assert dead.status == "running"
    source.sync()
    assert ledger(source) == [("failed", "the run that synced it died"), ("succeeded", None)]


def test_streams_that_were_read_to_their_end_count_although_a_sibling_failed(
    source: Source,
) -> None:
    source.mode = APPEND
    source.catalog(table("users", {"id": {"type": "integer"}}), table("bad", {"id": {}}))
    source.sync(
        *(status("users", "STARTED"), record("users", {"id": 1}), state("users", 1)),
        status("users", "COMPLETE"),
        *(record("bad", {"id": 1}), status("bad", "INCOMPLETE"), {"exit": 1}),
    )
    assert source.rows("select name, status, records_committed from pipeline.sync_stream") == [
        ("users", "complete", 1),
        ("bad", "incomplete", 0),
    ]


def wait_for_rows(source: Source) -> None:
    """Until the first checkpoint of a sync is there."""
    while not source.rows("select from pipeline.connector_state"):
        time.sleep(0.02)
