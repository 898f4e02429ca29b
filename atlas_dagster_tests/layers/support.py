"""What the tests of the layers share: streams, landing tables as Airbyte makes them, readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from atlas_dagster.catalog import ColumnType, DestinationMode, Stream, SyncMode, Table
from atlas_dagster.catalog_answers import parse_columns
from atlas_dagster.layers.chart import ChartResult, build_chart
from atlas_dagster.layers.explore import ExploreResult, load_explore
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.navigate import NavigateResult, build_navigate
from atlas_dagster.layers.policy import NO_POLICY, StreamPolicy, policed_stream
from atlas_dagster.layers.retention import OldVersions, drop_old_versions, find_old_versions
from atlas_dagster.names import airbyte_identifier
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection, identifier, register_stream
from atlas_dagster_tests.properties.oracle import Rules, Version

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
NO_RULES = StreamRules()


def at(day: int, hour: int = 0, minute: int = 0, microsecond: int = 0) -> datetime:
    """An instant of January 2024, UTC."""
    return datetime(2024, 1, day, hour, minute, 0, microsecond, tzinfo=timezone.utc)


def make_stream(
    properties: Mapping[str, Any],
    key: Sequence[Sequence[str]] = (("id",),),
    name: str = "users",
    slug: str = "users",
) -> Stream:
    """A stream whose JSON schema has these properties."""
    return Stream(
        connection_id="00000000-0000-0000-0000-000000000001",
        connection="crm",
        name=name,
        namespace=None,
        slug=slug,
        landing=Table("landing", airbyte_identifier(name)),
        sync_mode=SyncMode.INCREMENTAL,
        destination_mode=DestinationMode.APPEND,
        cursor=(),
        primary_key=tuple(tuple(path) for path in key),
        columns=parse_columns({"properties": properties}, None),
    )


def create_landing(connection: PgConnection, stream: Stream) -> None:
    """The empty landing table of a stream, laid out as destination-postgres 3.x does."""
    connection.execute("create schema if not exists landing")
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column.landing), sql.SQL(column.type.value))
        for column in stream.columns
    ]
    head = sql.SQL(
        "_airbyte_raw_id varchar not null, _airbyte_extracted_at timestamptz not null,"
        " _airbyte_meta jsonb not null, _airbyte_generation_id bigint"
    )
    connection.execute(
        sql.SQL("create table {} ({})").format(
            identifier(stream.landing), sql.SQL(", ").join([head, *columns])
        )
    )


def land(connection: PgConnection, stream: Stream, versions: Iterable[Version]) -> None:
    """Insert record versions into landing, as one statement after the other in one transaction."""
    names = [sql.Identifier(column.landing) for column in stream.columns]
    query = sql.SQL("insert into {} values ({})").format(
        identifier(stream.landing), sql.SQL(", ").join([sql.Placeholder()] * (4 + len(names)))
    )
    rows = [
        [v.raw_id, v.extracted_at, Jsonb({"sync_id": v.sync_id, "changes": []}), 0]
        + [_typed(column.type, v.data.get(column.name)) for column in stream.columns]
        for v in versions
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(query, rows)


def insert_explore(connection: PgConnection, stream: Stream, versions: Iterable[Version]) -> None:
    """Put record versions straight into explore: landing is typed and cannot hold misfits."""
    query = sql.SQL("insert into {} values (%s, %s, 0, '{{}}', 1, now(), 'run', %s, %s)").format(
        identifier(Table("explore", stream.table_name))
    )
    for version in versions:
        day = version.extracted_at.astimezone(timezone.utc).date()
        connection.execute(
            query, (version.raw_id, version.extracted_at, day, Jsonb(dict(version.data)))
        )


def start_layers(connection: PgConnection, stream: Stream) -> None:
    """An empty landing table and an empty explore."""
    create_landing(connection, stream)
    register_stream(connection, stream)
    load_explore(connection, stream, "run")


def load(connection: PgConnection, stream: Stream) -> ExploreResult:
    return load_explore(connection, stream, "run")


def chart(
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules = NO_RULES,
    days: tuple[date, date] = (FIRST_DAY, LAST_DAY),
    policy: StreamPolicy = NO_POLICY,
) -> ChartResult:
    stream = policed_stream(stream, policy)
    return build_chart(connection, stream, history_rules(stream, rules, policy), *days, "run")


def navigate(
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules = NO_RULES,
    days: tuple[date, date] = (FIRST_DAY, LAST_DAY),
    policy: StreamPolicy = NO_POLICY,
) -> NavigateResult:
    stream = policed_stream(stream, policy)
    return build_navigate(connection, stream, history_rules(stream, rules, policy), *days, "run")


def build(connection: PgConnection, stream: Stream, rules: StreamRules = NO_RULES) -> None:
    """Everything that landed, through all layers."""
    load(connection, stream)
    chart(connection, stream, rules)
    navigate(connection, stream, rules)


def purge(connection: PgConnection, stream: Stream, before: date) -> OldVersions:
    """Drop from explore what is of days before that day, and in chart."""
    old = find_old_versions(connection, stream.table_name, before)
    return drop_old_versions(connection, stream.table_name, old, report=print)


@dataclass(frozen=True)
class NavigateRow:
    """A segment as navigate stores it."""

    raw_id: str
    valid_from: datetime
    valid_to: datetime | None
    closed_by: str | None
    is_current: bool
    surrogate_key: str
    natural_key: str
    row_hash: int
    data: Mapping[str, Any]


def read_navigate(connection: PgConnection, stream: Stream) -> list[NavigateRow]:
    """All segments, in the order of the oracle."""
    segments = [
        NavigateRow(
            raw_id=row["_airbyte_raw_id"],
            valid_from=row["_atlas_valid_from"],
            valid_to=row["_atlas_valid_to"],
            closed_by=row["_atlas_closed_by"],
            is_current=row["_atlas_is_current"],
            surrogate_key=str(row["_atlas_surrogate_key"]),
            natural_key=row["_atlas_natural_key"],
            row_hash=row["_atlas_row_hash"],
            data={column.name: row[column.layer] for column in stream.columns},
        )
        for row in rows(connection, stream, "navigate")
    ]
    return sorted(segments, key=lambda segment: (segment.raw_id, segment.valid_from))


def rows(connection: PgConnection, stream: Stream, layer: str) -> list[dict[str, Any]]:
    """A layer's rows as mappings, ordered by raw id."""
    query = sql.SQL('select * from {} order by _airbyte_raw_id collate "C"').format(
        identifier(Table(layer, stream.table_name))
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def oracle_rules(stream: Stream, rules: StreamRules = NO_RULES) -> Rules:
    """The same rules for the oracle, read from the stream by itself."""
    names = {column.name for column in stream.columns}
    return Rules(
        key=rules.natural_key or stream.primary_key,
        ignored=rules.ignore,
        time_column=rules.time_column,
        sequence="_ab_cdc_lsn" if "_ab_cdc_lsn" in names else None,
        deleted="_ab_cdc_deleted_at" if "_ab_cdc_deleted_at" in names else None,
    )


def _typed(kind: ColumnType, value: Any) -> Any:
    return Jsonb(value) if kind is ColumnType.JSONB and value is not None else value
