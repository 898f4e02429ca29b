"""What a materialization says of where a stream landed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from atlas_dagster.airbyte.events import server_metadata
from atlas_dagster.airbyte.job_info import JobOutcome, StreamOutcome
from atlas_dagster.airbyte.snapshot import ServerConnection
from atlas_dagster.assets.served import build_server_specs
from atlas_dagster.catalog import Connection, Stream
from atlas_dagster_tests.layers.support import make_stream

AT = datetime(2026, 11, 30, tzinfo=timezone.utc)
STREAM = make_stream({"id": {"type": "integer"}})


def connected(stream: Stream) -> Connection:
    return Connection(
        stream.connection_id,
        "CRM",
        stream.connection,
        "active",
        "",
        "destination",
        "",
        "manual",
        None,
        "postgres",
        (stream,),
        database="dwh",
    )


@pytest.mark.parametrize(
    ("raw_only", "table"),
    [(False, "dwh.landing.users"), (True, "dwh.airbyte_internal.landing_raw__stream_users")],
)
def test_a_stream_lands_in_the_table_that_atlas_reads(raw_only: bool, table: str) -> None:
    stream = replace(STREAM, raw_only=raw_only)
    connection = connected(stream)
    synced = StreamOutcome(stream, 0, 0, False, True, None)
    outcome = JobOutcome(7, "sync", "succeeded", AT, AT, 1, None, (synced,))
    metadata = server_metadata(outcome, synced, connection, "")
    assert metadata["dagster/table_name"] == table
    (spec,) = build_server_specs(ServerConnection(connection, AT, None))
    assert spec.metadata["dagster/table_name"] == table
    assert f"`{table.removeprefix('dwh.')}`" in (spec.description or "")
