"""Schema drift: whatever a source declares when, navigate is the oracle's, and so is a rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.catalog_answers import parse_columns
from atlas_dagster.layers.stream_columns import register_columns, registered_stream
from atlas_dagster.warehouse import PgConnection, identifier
from atlas_dagster_tests.effort import how_many
from atlas_dagster_tests.layers.support import chart, load, make_stream, navigate, read_navigate
from atlas_dagster_tests.properties.oracle import Rules, Version, history

STREAM = replace(make_stream({}), raw_only=True)
START = datetime(2024, 1, 1, tzinfo=timezone.utc)

# Schemas and values of their own kind; each family has values that others spell in another way.
KINDS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "integer": ({"type": "integer"}, (1, 2)),
    "number": ({"type": "number"}, (1.0, 1.5)),
    "text": ({"type": "string"}, ("1", "1.5", "x", "2024-01-01", "true")),
    "boolean": ({"type": "boolean"}, (True,)),
    "date": ({"type": "string", "format": "date"}, ("2024-01-01", "2024-01-02")),
    "naive": (
        {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        ("2024-01-01T00:00:00", "2024-01-01T12:00:00"),
    ),
    "instant": (
        {"type": "string", "format": "date-time"},
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00+00:00", "2024-01-01T13:00:00+01:00"),
    ),
    "object": ({"type": "object"}, ({"a": 1}, {"a": 1.0, "b": None}, {"a": 2})),
}
KEY_KINDS = ("integer", "number", "text")
INSTANTS = ("date", "naive", "instant")


@dataclass(frozen=True)
class DriftingSync:
    """A sync: what the source declares of key, value and extra (None: not at all), and its rows.

    ``builds`` are the days that are built after it.
    """

    key: str
    value: str | None
    extra: str | None
    rows: tuple[tuple[int, int, int], ...]
    builds: tuple[date, date]


def days(first: int, last: int) -> tuple[date, date]:
    return date(2024, 1, min(first, last)), date(2024, 1, max(first, last))


def syncs_of(kinds: Sequence[str]) -> st.SearchStrategy[list[DriftingSync]]:
    """A few kinds a world, so that values that are nearly the same often follow each other."""
    kind = st.sampled_from([None, *kinds])
    sync = st.builds(
        DriftingSync,
        key=st.sampled_from(["integer", "integer", "number", "text"]),
        value=kind,
        extra=kind,
        rows=st.lists(
            st.tuples(st.sampled_from([0, 0, 1]), st.integers(0, 4), st.integers(0, 1)),
            min_size=1,
            max_size=3,
        ).map(tuple),
        builds=st.builds(days, st.integers(1, 4), st.integers(1, 4)),
    )
    return st.lists(sync, min_size=3, max_size=6)


drawn_syncs = st.lists(st.sampled_from(list(KINDS)), min_size=2, max_size=3, unique=True).flatmap(
    syncs_of
)
PROFILE = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@given(drawn_syncs)
@settings(PROFILE, max_examples=15)
def test_navigate_outlives_the_drift_of_schemas(
    database: PgConnection, drawn: list[DriftingSync]
) -> None:
    check(database, drawn)


@pytest.mark.slow
@given(drawn_syncs)
@settings(PROFILE, max_examples=how_many(60, 300))
def test_navigate_outlives_the_drift_of_many_schemas(
    database: PgConnection, drawn: list[DriftingSync]
) -> None:
    check(database, drawn)


def check(connection: PgConnection, drawn: Sequence[DriftingSync]) -> None:
    start(connection)
    versions: list[Version] = []
    for number, sync in enumerate(drawn):
        versions += play(connection, number, sync)
    build(connection, STREAM, days(1, 9))
    stream = registered_stream(connection, STREAM)
    expected = history(
        [told(version, drawn) for version in versions],
        Rules(key=(("_key",),), ignored=frozenset({"_key"})),
    )
    found = read_navigate(connection, stream)
    assert [(r.raw_id, r.valid_from, r.valid_to, r.closed_by) for r in found] == [
        (s.raw_id, s.valid_from, s.valid_to, s.closed_by) for s in expected
    ]
    for layer in ("navigate", "chart"):
        connection.execute(
            sql.SQL("drop table {} cascade").format(identifier(Table(layer, STREAM.table_name)))
        )
    build(connection, STREAM, days(1, 9))
    assert read_navigate(connection, stream) == found


def start(connection: PgConnection) -> None:
    raw = identifier(STREAM.raw_landing)
    connection.execute(
        sql.SQL(
            """
            drop table if exists {raw}, {explore}, {chart}, {navigate} cascade;
            delete from pipeline.layer_table;
            delete from pipeline.explore_progress;
            delete from pipeline.stream_column;
            create schema if not exists {schema};
            create table {raw} (
                _airbyte_raw_id varchar not null,
                _airbyte_extracted_at timestamptz not null,
                _airbyte_data jsonb not null
            )
            """
        ).format(
            raw=raw,
            schema=sql.Identifier(STREAM.raw_schema),
            explore=sql.Identifier("explore", STREAM.table_name),
            chart=sql.Identifier("chart", STREAM.table_name),
            navigate=sql.Identifier("navigate", STREAM.table_name),
        )
    )


def play(connection: PgConnection, number: int, sync: DriftingSync) -> list[Version]:
    """Land the rows as the source spells them, and build some days under its schema."""
    versions = [version(number, n, sync, row) for n, row in enumerate(sync.rows)]
    for landed in versions:
        connection.execute(
            sql.SQL("insert into {} values (%s, %s, %s)").format(identifier(STREAM.raw_landing)),
            (landed.raw_id, landed.extracted_at, Jsonb(landed.data)),
        )
    build(connection, declared(sync), sync.builds)
    return versions


def build(connection: PgConnection, stream: Stream, chosen: tuple[date, date]) -> None:
    load(connection, stream)
    if stream.columns:
        stream = register_columns(connection, stream, "run")
    else:
        stream = registered_stream(connection, stream)
    chart(connection, stream, days=chosen)
    navigate(connection, stream, days=chosen)


def declared(sync: DriftingSync) -> Stream:
    properties = {
        name: KINDS[kind][0]
        for name, kind in (("id", sync.key), ("value", sync.value), ("extra", sync.extra))
        if kind
    }
    return replace(STREAM, columns=parse_columns({"properties": properties}, None))


def version(number: int, n: int, sync: DriftingSync, row: tuple[int, int, int]) -> Version:
    key, value, extra = row
    data = {
        "id": key if sync.key == "integer" else float(key) if sync.key == "number" else str(key),
        **({"value": pick(sync.value, value)} if sync.value else {}),
        **({"extra": pick(sync.extra, extra)} if sync.extra else {}),
    }
    return Version(f"{number}-{n}", START + timedelta(hours=15 * number + n), data)


def pick(kind: str, number: int) -> Any:
    values = KINDS[kind][1]
    return values[number % len(values)]


def told(version: Version, drawn: Sequence[DriftingSync]) -> Version:
    """A version as the rules see it: its key as text; instants in a column that began as one."""
    data = dict(version.data)
    for name in ("value", "extra"):
        first = next((kind for sync in drawn if (kind := getattr(sync, name))), None)
        if first in INSTANTS and isinstance(data.get(name), str):
            data[name] = instant(data[name])
    return replace(version, data={**data, "_key": str(int(float(data["id"])))})


def instant(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
