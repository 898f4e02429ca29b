"""Connection, Stream, Column: what Airbyte says it syncs, typed and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.json_schema import INSTANT_TYPES, ColumnType
from atlas_dagster.names import (
    airbyte_raw_table,
    layer_table,
)

POSTGRES = "postgres"

CDC_DELETED_AT = "_ab_cdc_deleted_at"
"""The property of CDC sources that is not null where a record is deleted."""


class SyncMode(str, Enum):
    FULL_REFRESH = "full_refresh"
    INCREMENTAL = "incremental"


class DestinationMode(str, Enum):
    """How a destination writes; only such as are no warehouse know the last two."""

    APPEND = "append"
    OVERWRITE = "overwrite"
    APPEND_DEDUP = "append_dedup"
    OVERWRITE_DEDUP = "overwrite_dedup"
    UPDATE = "update"
    SOFT_DELETE = "soft_delete"

    @property
    def dedups(self) -> bool:
        return self in (DestinationMode.APPEND_DEDUP, DestinationMode.OVERWRITE_DEDUP)

    @property
    def overwrites(self) -> bool:
        return self in (DestinationMode.OVERWRITE, DestinationMode.OVERWRITE_DEDUP)


@dataclass(frozen=True)
class Table:
    """A table by schema and name, both unquoted."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Column:
    """A top-level property of a stream.

    ``name`` is the property as the source spells it, ``landing`` the column that Airbyte makes of
    it, ``layer`` the column in chart and navigate. ``was_instant`` says of a column that has turned
    into text or json that it was declared as a date or a timestamp before. ``nullable`` and
    ``limits`` are what the source's schema says of its values; None: nothing.
    """

    name: str
    landing: str
    layer: str
    type: ColumnType
    required: bool = False
    format: str | None = None
    description: str | None = None
    was_instant: bool = False
    nullable: bool = True
    limits: ValueLimits | None = None

    @property
    def is_instant(self) -> bool:
        """Whether its values are compared as instants, however they are spelled."""
        return self.was_instant or self.type in INSTANT_TYPES


@dataclass(frozen=True)
class Stream:
    """One stream of a connection, with the modes it is synced in.

    ``raw_only`` says that the destination writes raw tables, in ``raw_schema``, and no typed ones;
    ``soft_deletes`` that rows which a CDC source deletes stay in landing.
    """

    connection_id: str
    connection: str  # slug
    name: str
    namespace: str | None
    slug: str
    landing: Table
    sync_mode: SyncMode
    destination_mode: DestinationMode
    cursor: tuple[str, ...]
    primary_key: tuple[tuple[str, ...], ...]
    columns: tuple[Column, ...]
    raw_schema: str = "airbyte_internal"
    raw_only: bool = False
    soft_deletes: bool = False

    @property
    def loses_rows(self) -> bool:
        """Whether a deletion in the source leaves no trace in landing but a row that is gone."""
        return (
            self.sync_mode is SyncMode.INCREMENTAL
            and self.destination_mode.dedups
            and not self.raw_only
            and not self.soft_deletes
            and self.column(CDC_DELETED_AT) is not None
            and bool(self.primary_key)
            and all(len(path) == 1 and self.column(path[0]) for path in self.primary_key)
        )

    @property
    def raw_landing(self) -> Table:
        """The raw table of destination-postgres 2.x, and of 3.x where it writes no typed one."""
        return Table(self.raw_schema, airbyte_raw_table(self.landing.schema, self.landing.name))

    @property
    def landing_table(self) -> Table:
        """The table that the destination writes and Atlas reads: the raw one where it is alone."""
        return self.raw_landing if self.raw_only else self.landing

    @property
    def raw_landing_v1(self) -> Table:
        """The raw table of destination-postgres 1.x."""
        return Table(self.landing.schema, f"_airbyte_raw_{self.landing.name.lower()}")

    @property
    def table_name(self) -> str:
        """The name of this stream's table in explore, chart and navigate."""
        return layer_table(self.connection, self.slug)

    @property
    def explore(self) -> Table:
        return Table("explore", self.table_name)

    @property
    def chart(self) -> Table:
        return Table("chart", self.table_name)

    @property
    def navigate(self) -> Table:
        return Table("navigate", self.table_name)

    @property
    def label(self) -> str:
        """The stream as logs and errors call it: ``connection/stream``."""
        return f"{self.connection}/{self.slug}"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Connection:
    """An Airbyte connection and the streams it has selected; ``database`` is its destination's.

    ``cron`` is one of Quartz, which has seconds; ``every_seconds`` is a basic schedule's interval.
    """

    id: str
    name: str
    slug: str
    status: str
    prefix: str
    namespace_definition: str
    namespace_format: str
    schedule_type: str
    cron: str | None
    destination_type: str
    streams: tuple[Stream, ...]
    database: str | None = None
    every_seconds: int | None = None

    @property
    def has_layers(self) -> bool:
        """Whether it lands where layers can be built from."""
        return self.destination_type == POSTGRES

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def stream(self, name: str, namespace: str | None = None) -> Stream | None:
        wanted = (name, namespace or None)
        return next((s for s in self.streams if (s.name, s.namespace) == wanted), None)
