"""What Airbyte answers of a connection, read into the nouns of the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from atlas_dagster.catalog import (
    POSTGRES,
    Column,
    Connection,
    DestinationMode,
    Stream,
    SyncMode,
    Table,
)
from atlas_dagster.errors import ConfigError
from atlas_dagster.json_limits import may_be_null, spelled_out, value_limits
from atlas_dagster.json_schema import column_type, json_object
from atlas_dagster.names import airbyte_columns, airbyte_tables, unique_columns, unique_slugs

_POSTGRES_DEFINITION = "25c5221d-dce2-4163-ade9-739ef790f503"  # Airbyte's id of the connector

_TIME_UNITS = {"minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800, "months": 2592000}

# What Airbyte answers, as far as it is used here. Its null and its missing fields mean the same.
_T = TypeVar("_T")
_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
_Path: TypeAlias = Annotated[list[str], msgspec.Meta(min_length=1)]


class _SelectedField(msgspec.Struct, frozen=True, rename="camel"):
    field_path: _Path


class _SourceStream(msgspec.Struct, frozen=True, rename="camel"):
    name: _Text
    namespace: str | None = None
    json_schema: dict[str, Any] | None = None
    default_cursor_field: list[str] | None = None
    source_defined_primary_key: list[_Path] | None = None


class _StreamConfig(msgspec.Struct, frozen=True, rename="camel"):
    sync_mode: SyncMode
    destination_sync_mode: DestinationMode
    cursor_field: list[str] | None = None
    primary_key: list[_Path] | None = None
    selected: bool | None = None
    field_selection_enabled: bool | None = None
    selected_fields: list[_SelectedField] | None = None


class _CatalogEntry(msgspec.Struct, frozen=True):
    stream: _SourceStream
    config: _StreamConfig

    @property
    def key(self) -> tuple[str, str | None]:
        return self.stream.name, self.stream.namespace or None


class _Catalog(msgspec.Struct, frozen=True):
    streams: list[_CatalogEntry] = []


class _Cron(msgspec.Struct, frozen=True, rename="camel"):
    cron_expression: str | None = None


class _BasicSchedule(msgspec.Struct, frozen=True, rename="camel"):
    time_unit: str | None = None
    units: float | None = None


class _ScheduleData(msgspec.Struct, frozen=True, rename="camel"):
    cron: _Cron | None = None
    basic_schedule: _BasicSchedule | None = None


class _ConnectionRead(msgspec.Struct, frozen=True, rename="camel"):
    connection_id: _Text
    name: _Text
    sync_catalog: _Catalog
    status: str | None = None
    prefix: str | None = None
    namespace_definition: str | None = None
    namespace_format: str | None = None
    schedule_type: str | None = None
    schedule_data: _ScheduleData | None = None


class _DestinationConfiguration(msgspec.Struct, frozen=True):
    database: str | None = None
    schema: str | None = None
    disable_type_dedupe: bool | None = None
    raw_data_schema: str | None = None
    cdc_deletion_mode: str | None = None


class _Destination(msgspec.Struct, frozen=True, rename="camel"):
    configuration: _DestinationConfiguration
    destination_type: str | None = None
    definition_id: str | None = None

    @property
    def kind(self) -> str:
        """Its type, which Airbyte leaves empty for connectors that a workspace added itself."""
        is_postgres = self.definition_id == _POSTGRES_DEFINITION
        return self.destination_type or (POSTGRES if is_postgres else "")


def parse_connection(
    details: Mapping[str, Any],
    destination: Mapping[str, Any],
    slug: str,
) -> Connection:
    """Build a Connection from the answers of `connections/get` and `destinations/{id}`.

    Raises ConfigError naming the connection and the key that is missing or has a wrong type.
    Shapes: Airbyte's configuration API, `ConnectionRead`, and public API, `DestinationResponse`.
    """
    where = f"connection {details.get('name') or details.get('connectionId') or slug}"
    read = _convert(details, _ConnectionRead, where)
    target = _read_destination(destination, f"{where}, destination")
    entries = [entry for entry in read.sync_catalog.streams if entry.config.selected is not False]
    landing = _landing_tables(entries, read, target, where)
    slugs = stream_slugs([entry.key for entry in entries])
    cron = read.schedule_data.cron if read.schedule_data else None
    return Connection(
        id=read.connection_id,
        name=read.name,
        slug=slug,
        status=read.status or "active",
        prefix=_unless_blank(read.prefix),
        namespace_definition=read.namespace_definition or "destination",
        namespace_format=_unless_blank(read.namespace_format),
        schedule_type=read.schedule_type or "manual",
        cron=cron.cron_expression if cron else None,
        every_seconds=_interval(read.schedule_data),
        destination_type=target.kind,
        database=target.configuration.database,
        streams=tuple(
            replace(
                _stream(entry, read.connection_id, slug, slugs[entry.key], table),
                raw_only=bool(target.configuration.disable_type_dedupe),
                soft_deletes=(target.configuration.cdc_deletion_mode or "")
                .lower()
                .startswith("soft"),
                raw_schema=_unless_blank(target.configuration.raw_data_schema)
                or "airbyte_internal",
            )
            for entry, table in zip(entries, landing, strict=True)
        ),
    )


def stream_slugs(
    streams: Sequence[tuple[str, str | None]],
) -> dict[tuple[str, str | None], str]:
    """Slug the streams (name, namespace) of a connection.

    A name that stands in two namespaces is told apart by its namespace.
    """
    names = [name for name, _ in streams]
    # NUL, which no name has, joins: a dot would make `b` of namespace `a` one with a stream `a.b`.
    spelled = {
        (name, namespace): name
        if names.count(name) == 1
        else f"{namespace or chr(0) + 'default'}\0{name}"
        for name, namespace in streams
    }
    slugs = unique_slugs(list(spelled.values()))
    return {key: slugs[text] for key, text in spelled.items()}


def landing_namespace(
    definition: str, format_: str, source_namespace: str | None, default: str
) -> str:
    """The schema a stream lands in, by the platform's rule (NamespacingMapper)."""
    if definition == "source":
        return source_namespace or default
    if definition in ("customformat", "custom_format"):
        chosen = format_.replace("${SOURCE_NAMESPACE}", _unless_blank(source_namespace))
        return chosen if chosen.strip() else default
    return default


def parse_columns(
    json_schema: Mapping[str, Any], selected: Sequence[str] | None
) -> tuple[Column, ...]:
    """The columns of a stream: its declared top-level properties, or those that were selected."""
    properties = json_object(json_schema.get("properties"))
    required = json_schema.get("required")
    names = [name for name in properties if selected is None or name in selected]
    landing, layer = airbyte_columns(names), unique_columns(names)
    columns: list[Column] = []
    for name in names:
        details = spelled_out(properties[name])
        columns.append(
            Column(
                name=name,
                landing=landing[name],
                layer=layer[name],
                type=column_type(properties[name]),
                required=isinstance(required, list) and name in required,
                format=_text_or_none(details.get("format")),
                description=_text_or_none(details.get("description")),
                nullable=may_be_null(properties[name]),
                limits=value_limits(details),
            )
        )
    return tuple(columns)


def _stream(
    entry: _CatalogEntry, connection_id: str, connection_slug: str, slug: str, landing: Table
) -> Stream:
    stream, config = entry.stream, entry.config
    selected: list[str] | None = None
    if config.field_selection_enabled:
        selected = [field.field_path[0] for field in config.selected_fields or []]
    primary_key = config.primary_key or stream.source_defined_primary_key or []
    return Stream(
        connection_id=connection_id,
        connection=connection_slug,
        name=stream.name,
        namespace=stream.namespace or None,
        slug=slug,
        landing=landing,
        sync_mode=config.sync_mode,
        destination_mode=config.destination_sync_mode,
        cursor=tuple(config.cursor_field or stream.default_cursor_field or []),
        primary_key=tuple(tuple(path) for path in primary_key),
        columns=parse_columns(stream.json_schema or {}, selected),
    )


def _landing_tables(
    entries: Sequence[_CatalogEntry], read: _ConnectionRead, target: _Destination, where: str
) -> list[Table]:
    """The table of each stream; raises ConfigError where two would share one."""
    default = _unless_blank(target.configuration.schema) or "public"
    wanted = [
        (
            landing_namespace(
                read.namespace_definition or "destination",
                _unless_blank(read.namespace_format),
                entry.stream.namespace,
                default,
            ),
            f"{_unless_blank(read.prefix)}{entry.stream.name}",
        )
        for entry in entries
    ]
    tables = [Table(schema, name) for schema, name in airbyte_tables(wanted)]
    owners: dict[Table, str] = {}
    for entry, table in zip(entries, tables, strict=True):
        if table in owners:
            raise ConfigError(
                f"{where}: streams {owners[table]!r} and {entry.stream.name!r} would both land in"
                f" {table}; give one of them another namespace"
            )
        owners[table] = entry.stream.name
    return tables


def _read_destination(destination: Mapping[str, Any], where: str) -> _Destination:
    """Read a destination; the keys of one that is not Postgres may mean anything."""
    bare = _convert({**destination, "configuration": {}}, _Destination, where)
    if bare.kind not in (POSTGRES, "") and "configuration" in destination:
        schema = json_object(destination["configuration"]).get("schema")
        return msgspec.structs.replace(
            bare, configuration=_DestinationConfiguration(schema=_text_or_none(schema))
        )
    return _convert(destination, _Destination, where)


def _convert(answer: Mapping[str, Any], kind: type[_T], where: str) -> _T:
    """Read an answer of Airbyte; raises ConfigError naming the key that is wrong."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).replace("`", "").partition(" - at $")
        key = path.lstrip(".")
        reason = re.sub(r"^[A-Z](?=[a-z])", lambda first: first.group().lower(), text)
        raise ConfigError(f"{where}: {key}: {reason}" if key else f"{where}: {reason}") from None


def _interval(schedule: _ScheduleData | None) -> int | None:
    """The interval of a basic schedule, in seconds."""
    basic = schedule.basic_schedule if schedule else None
    seconds = _TIME_UNITS.get((basic.time_unit or "").lower()) if basic else None
    return int(basic.units * seconds) if basic and basic.units and seconds else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _unless_blank(text: str | None) -> str:
    return text if text and text.strip() else ""
