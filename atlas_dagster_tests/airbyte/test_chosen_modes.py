"""Modes of streams that are not written, and written ones that cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from atlas_dagster.airbyte.catalogs import connection_details
from atlas_dagster.airbyte.sync_modes import chosen_modes
from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster_tests.airbyte.scripted import (
    DEDUP,
    UNWRITTEN,
    Source,
    record,
    state,
    table,
)

KEYED = table("users", {"id": {"type": "integer"}})
KEYLESS = table("users", {"id": {"type": "integer"}}, key=None)
FULL_ONLY = {"supported_sync_modes": ["full_refresh"]}
NO_CURSOR = {"source_defined_cursor": False}
HERE = "config/connections.yaml:5: users"


@pytest.mark.parametrize(
    ("declared", "modes"),
    [
        (KEYED, ("incremental", "append_dedup")),
        (KEYLESS, ("incremental", "append")),
        ({**KEYED, **NO_CURSOR}, ("full_refresh", "overwrite")),
        ({**KEYED, **NO_CURSOR, "default_cursor_field": ["id"]}, ("incremental", "append_dedup")),
        ({**KEYED, **FULL_ONLY}, ("full_refresh", "overwrite")),
        ({**KEYLESS, **FULL_ONLY}, ("full_refresh", "overwrite")),
    ],
)
def test_modes_that_are_not_written_are_what_the_source_can_do(
    source: Source, declared: dict[str, Any], modes: tuple[str, str]
) -> None:
    source.mode = UNWRITTEN
    source.catalog(declared)
    sync = source.sync(record("users", {"id": 1}), state("users", 1))
    assert sync.failure is None
    (told,) = source.seen("catalog")["streams"]
    assert (told["sync_mode"], told["destination_sync_mode"]) == modes


def test_a_cursor_that_is_written_is_as_good_as_one_that_the_source_has(source: Source) -> None:
    connection = source.connection()
    (stream,) = connection.streams
    declared = {**KEYED, **NO_CURSOR}
    unwritten = replace(stream, sync_mode=None, destination_mode=None)
    assert chosen_modes(unwritten, declared)[0] is SyncMode.FULL_REFRESH
    assert chosen_modes(replace(unwritten, cursor=("id",)), declared)[0] is SyncMode.INCREMENTAL


def test_a_full_refresh_that_is_chosen_replaces_the_rows_and_gets_no_state(source: Source) -> None:
    source.mode = UNWRITTEN
    source.catalog({**KEYLESS, **FULL_ONLY})
    source.sync(record("users", {"id": 1}), state("users", 1))
    source.sync(record("users", {"id": 2}), state("users", 2))
    assert source.seen("state") == []
    assert source.rows("select id from landing.users") == [(2,)]
    generations = "select generation_id, full_refresh from pipeline.sync_stream order by job_id"
    assert source.rows(generations) == [(1, True), (2, True)]


def test_a_full_refresh_may_append(source: Source) -> None:
    source.mode = (None, DestinationMode.APPEND)
    source.catalog({**KEYED, **FULL_ONLY})
    source.sync(record("users", {"id": 1}))
    source.sync(record("users", {"id": 1}))
    assert source.rows("select id from landing.users") == [(1,), (1,)]


def test_a_source_that_was_not_asked_yet_is_taken_for_incremental_with_a_key(
    source: Source,
) -> None:
    source.mode = UNWRITTEN
    (entry,) = connection_details(source.connection(), {"streams": []})["syncCatalog"]["streams"]
    assert entry["config"]["syncMode"] == "incremental"
    assert entry["config"]["destinationSyncMode"] == "append_dedup"


@pytest.mark.parametrize(
    ("mode", "declared", "failure"),
    [
        (
            DEDUP,
            KEYLESS,
            "append_dedup needs a key: add primary_key, or destination_sync_mode: append",
        ),
        (
            (SyncMode.FULL_REFRESH, DestinationMode.OVERWRITE_DEDUP),
            KEYLESS,
            "overwrite_dedup needs a key: add primary_key, or destination_sync_mode: overwrite",
        ),
        (
            (SyncMode.INCREMENTAL, None),
            {**KEYED, **FULL_ONLY},
            "the source has no incremental sync of it:"
            " leave sync_mode and destination_sync_mode out",
        ),
    ],
)
def test_a_written_mode_that_cannot_be_is_named_with_its_place_and_a_remedy(
    source: Source, mode: Any, declared: dict[str, Any], failure: str
) -> None:
    source.mode = mode
    source.catalog(declared)
    assert source.sync().failure == f"{HERE}: {failure}"
