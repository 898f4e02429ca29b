"""The stream that the layers are measured on: users of 15 columns, landed by SQL."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from atlas_dagster.airbyte import landing_sql
from atlas_dagster.catalog import Column, DestinationMode, Stream, SyncMode, Table
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection

TYPES = {
    "id": ColumnType.BIGINT,
    "name": ColumnType.TEXT,
    "title": ColumnType.TEXT,
    "age": ColumnType.BIGINT,
    "email": ColumnType.TEXT,
    "telephone": ColumnType.TEXT,
    "language": ColumnType.TEXT,
    "academic_degree": ColumnType.TEXT,
    "occupation": ColumnType.TEXT,
    "balance": ColumnType.NUMERIC,
    "created_at": ColumnType.TIMESTAMPTZ,
    "updated_at": ColumnType.TIMESTAMPTZ,
    "active": ColumnType.BOOLEAN,
    "born": ColumnType.DATE,
    "address": ColumnType.JSONB,
}

STREAM = Stream(
    connection_id="00000000-0000-4000-8000-000000000001",
    connection="faker",
    name="users",
    namespace=None,
    slug="users",
    landing=Table("landing", "faker__users"),
    sync_mode=SyncMode.INCREMENTAL,
    destination_mode=DestinationMode.APPEND_DEDUP,
    cursor=("updated_at",),
    primary_key=(("id",),),
    columns=tuple(Column(name, name, name, kind) for name, kind in TYPES.items()),
)

RULES = history_rules(STREAM, StreamRules(ignore=frozenset({"updated_at"})))

# Every `step`-th key from `first` on, extracted in the course of a day. Raw ids are as Airbyte's.
LAND = """
insert into landing.faker__users
select
    uuidv7()::text,
    {day}::date::timestamp at time zone 'UTC' + interval '10 hours' + i * interval '1 ms',
    '{{"changes": [], "sync_id": 1}}',
    0,
    i,
    'Margaret Elizabeth O''Connor ' || {tag} || i,
    'Mrs.',
    18 + i % 70,
    'margaret.oconnor+' || i || '@example-company.com',
    '+1-(555)-' || lpad((i % 10000000)::text, 7, '0'),
    (array['English', 'Portuguese', 'Japanese', 'Swahili'])[1 + i % 4],
    (array['Bachelor', 'Master', 'PhD'])[1 + i % 3],
    'Senior Agricultural Engineer',
    (i * 1.25)::numeric(12, 2),
    '2024-01-01T00:00:00.123Z'::timestamptz + i * interval '1 s',
    {day}::date::timestamp at time zone 'UTC' + i * interval '1 ms',
    i % 2 = 0,
    '1950-01-01'::date + (i % 20000)::int,
    jsonb_build_object(
        'street_name', 'North Washington Boulevard', 'street_number', (i % 900)::text,
        'city', 'South Bend', 'province', 'Massachusetts', 'state', 'MA',
        'country_code', 'US', 'postal_code', lpad((i % 100000)::text, 5, '0')
    )
from generate_series({first}::bigint, {rows}::bigint, {step}::bigint) as i
"""


def create_landing(connection: PgConnection) -> None:
    """The landing table with its indexes, as the embedded Airbyte and destination-postgres do."""
    connection.execute("create schema landing")
    connection.execute(landing_sql.create_table(STREAM.landing, STREAM.columns))
    names = landing_sql.index_names(STREAM.landing)
    for purpose, column in (
        ("extracted_at", "_airbyte_extracted_at"),
        ("pk", "id"),
        ("cursor", "updated_at"),
    ):
        connection.execute(landing_sql.create_index(STREAM.landing, names[purpose], [column]))


def land(connection: PgConnection, day: date, tag: str, first: int, rows: int, step: int) -> None:
    connection.execute(
        sql.SQL(LAND).format(
            day=sql.Literal(day.isoformat()),
            tag=sql.Literal(tag),
            first=sql.Literal(first),
            rows=sql.Literal(rows),
            step=sql.Literal(step),
        )
    )
