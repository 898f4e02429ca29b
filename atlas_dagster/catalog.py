"""Connection, Stream, Column: what Airbyte says it syncs, typed and frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from atlas_dagster.errors import ConfigError
from atlas_dagster.names import (
    airbyte_columns,
    airbyte_identifier,
    layer_table,
    unique_columns,
    unique_slugs,
)

_E = TypeVar("_E", bound=Enum)


class ColumnType(str, Enum):
    """The PostgreSQL type that destination-postgres 3.x gives a property.

    Rule: airbytehq/airbyte, load CDK, data/json/JsonSchemaToAirbyteType.kt.
    """

    TEXT = "varchar"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMPTZ = "timestamp with time zone"
    TIMESTAMP = "timestamp without time zone"
    TIMETZ = "time with time zone"
    TIME = "time without time zone"
    JSONB = "jsonb"


class SyncMode(str, Enum):
    FULL_REFRESH = "full_refresh"
    INCREMENTAL = "incremental"


class DestinationMode(str, Enum):
    APPEND = "append"
    OVERWRITE = "overwrite"
    APPEND_DEDUP = "append_dedup"
    OVERWRITE_DEDUP = "overwrite_dedup"

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
    it, ``layer`` the column in chart and navigate.
    """

    name: str
    landing: str
    layer: str
    type: ColumnType
    required: bool = False
    format: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Stream:
    """One stream of a connection, with the modes it is synced in."""

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

    @property
    def table_name(self) -> str:
        """The name of this stream's table in explore, chart and navigate."""
        return layer_table(self.connection, self.slug)

    @property
    def label(self) -> str:
        """The stream as logs and errors call it: ``connection/stream``."""
        return f"{self.connection}/{self.slug}"

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Connection:
    """An Airbyte connection and the streams it has selected."""

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

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    def stream(self, name: str, namespace: str | None = None) -> Stream | None:
        wanted = (name, namespace or None)
        return next((s for s in self.streams if (s.name, s.namespace) == wanted), None)


def parse_connection(
    details: Mapping[str, Any],
    destination: Mapping[str, Any],
    slug: str,
) -> Connection:
    """Build a Connection from the answers of `connections/get` and `destinations/{id}`.

    Raises ConfigError naming the connection and the key that is missing or has a wrong type.
    Shapes: Airbyte's configuration API, `ConnectionRead`, and public API, `DestinationResponse`.
    """
    connection_id = _text(details, "connectionId", "a connection")
    where = f"connection {details.get('name') or connection_id}"
    prefix = _optional_text(details, "prefix")
    default_schema = (
        _optional_text(_mapping(destination, "configuration", where), "schema") or "public"
    )
    catalog = _mapping(details, "syncCatalog", where)
    selected = [
        entry
        for entry in cast("list[Mapping[str, Any]]", catalog.get("streams") or [])
        if _mapping(entry, "config", where).get("selected", True)
    ]
    slugs = stream_slugs([_stream_key(entry, where) for entry in selected])
    namespace_definition = str(details.get("namespaceDefinition") or "destination")
    namespace_format = _optional_text(details, "namespaceFormat")
    streams = tuple(
        _parse_stream(
            entry,
            connection_id=connection_id,
            connection_slug=slug,
            slugs=slugs,
            prefix=prefix,
            schema_of=lambda namespace: landing_namespace(
                namespace_definition, namespace_format, namespace, default_schema
            ),
        )
        for entry in selected
    )
    _refuse_shared_tables(streams, where)
    schedule_data = cast("Mapping[str, Any]", details.get("scheduleData") or {})
    cron = cast("Mapping[str, Any]", schedule_data.get("cron") or {}).get("cronExpression")
    return Connection(
        id=connection_id,
        name=_text(details, "name", where),
        slug=slug,
        status=str(details.get("status") or "active"),
        prefix=prefix,
        namespace_definition=namespace_definition,
        namespace_format=namespace_format,
        schedule_type=str(details.get("scheduleType") or "manual"),
        cron=cron,
        destination_type=str(destination.get("destinationType") or ""),
        streams=streams,
    )


def landing_namespace(
    definition: str, format_: str, source_namespace: str | None, default: str
) -> str:
    """The schema a stream lands in, by the platform's rule (NamespacingMapper)."""
    if definition == "source":
        return source_namespace or default
    if definition in ("customformat", "custom_format"):
        chosen = format_.replace("${SOURCE_NAMESPACE}", source_namespace or "")
        return chosen if chosen.strip() else default
    return default


def column_type(schema: object) -> ColumnType:
    """The column type of a JSON schema property (see ColumnType)."""
    if not isinstance(schema, Mapping):
        return ColumnType.JSONB
    prop = cast("Mapping[str, Any]", schema)
    if "$ref" in prop:
        return _well_known_type(str(prop["$ref"]))
    declared = prop.get("type")
    types = [declared] if isinstance(declared, str) else list(cast("list[str]", declared or []))
    real = [t for t in types if t != "null"]
    if any(key in prop for key in ("oneOf", "anyOf", "allOf")) or len(real) != 1:
        return ColumnType.JSONB
    if real[0] == "string":
        return _string_type(prop)
    if real[0] == "number":
        return ColumnType.BIGINT if prop.get("airbyte_type") == "integer" else ColumnType.NUMERIC
    return {"integer": ColumnType.BIGINT, "boolean": ColumnType.BOOLEAN}.get(
        real[0], ColumnType.JSONB
    )


def _string_type(prop: Mapping[str, Any]) -> ColumnType:
    airbyte_type = prop.get("airbyte_type")
    match prop.get("format"):
        case "date":
            return ColumnType.DATE
        case "date-time":
            naive = airbyte_type == "timestamp_without_timezone"
            return ColumnType.TIMESTAMP if naive else ColumnType.TIMESTAMPTZ
        case "time":
            naive = airbyte_type == "time_without_timezone"
            return ColumnType.TIME if naive else ColumnType.TIMETZ
        case _:
            return ColumnType.TEXT


def _well_known_type(ref: str) -> ColumnType:
    return {
        "Boolean": ColumnType.BOOLEAN,
        "Integer": ColumnType.BIGINT,
        "Number": ColumnType.NUMERIC,
        "String": ColumnType.TEXT,
        "BinaryData": ColumnType.TEXT,
        "Date": ColumnType.DATE,
        "TimestampWithTimezone": ColumnType.TIMESTAMPTZ,
        "TimestampWithoutTimezone": ColumnType.TIMESTAMP,
        "TimeWithTimezone": ColumnType.TIMETZ,
        "TimeWithoutTimezone": ColumnType.TIME,
    }.get(ref.rsplit("/", 1)[-1], ColumnType.JSONB)


def parse_columns(
    json_schema: Mapping[str, Any], selected: Sequence[str] | None
) -> tuple[Column, ...]:
    """The columns of a stream: its declared top-level properties, or those that were selected."""
    properties = cast("Mapping[str, Any]", json_schema.get("properties") or {})
    required = set(cast("list[str]", json_schema.get("required") or []))
    names = [name for name in properties if selected is None or name in selected]
    landing, layer = airbyte_columns(names), unique_columns(names)
    columns: list[Column] = []
    for name in names:
        prop = properties[name]
        details = cast("Mapping[str, Any]", prop) if isinstance(prop, Mapping) else {}
        columns.append(
            Column(
                name=name,
                landing=landing[name],
                layer=layer[name],
                type=column_type(details),
                required=name in required,
                format=details.get("format"),
                description=details.get("description"),
            )
        )
    return tuple(columns)


def _parse_stream(
    entry: Mapping[str, Any],
    *,
    connection_id: str,
    connection_slug: str,
    slugs: Mapping[tuple[str, str | None], str],
    prefix: str,
    schema_of: Callable[[str | None], str],
) -> Stream:
    where = f"connection {connection_slug}"
    stream, config = _mapping(entry, "stream", where), _mapping(entry, "config", where)
    name = _text(stream, "name", where)
    where = f"{where}, stream {name}"
    namespace = cast("str | None", stream.get("namespace") or None)
    selected: list[str] | None = None
    if config.get("fieldSelectionEnabled"):
        fields = cast("list[Mapping[str, Any]]", config.get("selectedFields") or [])
        selected = [field["fieldPath"][0] for field in fields]
    primary_key = config.get("primaryKey") or stream.get("sourceDefinedPrimaryKey") or []
    cursor = config.get("cursorField") or stream.get("defaultCursorField") or []
    return Stream(
        connection_id=connection_id,
        connection=connection_slug,
        name=name,
        namespace=namespace,
        slug=slugs[(name, namespace)],
        landing=Table(
            schema=airbyte_identifier(schema_of(namespace)),
            name=airbyte_identifier(f"{prefix}{name}"),
        ),
        sync_mode=_enum(SyncMode, config, "syncMode", where),
        destination_mode=_enum(DestinationMode, config, "destinationSyncMode", where),
        cursor=tuple(cursor),
        primary_key=tuple(tuple(path) for path in primary_key),
        columns=parse_columns(stream.get("jsonSchema") or {}, selected),
    )


def _stream_key(entry: Mapping[str, Any], where: str) -> tuple[str, str | None]:
    stream = _mapping(entry, "stream", where)
    return _text(stream, "name", where), stream.get("namespace") or None


def stream_slugs(
    streams: Sequence[tuple[str, str | None]],
) -> dict[tuple[str, str | None], str]:
    """Slug the streams (name, namespace) of a connection.

    A name that stands in two namespaces is told apart by its namespace.
    """
    names = [name for name, _ in streams]
    # NUL, which no name has, joins: a dot would make `b` of namespace `a` one with a stream `a.b`.
    spelled = {
        (name, namespace): name if names.count(name) == 1 else f"{namespace or chr(0)}\0{name}"
        for name, namespace in streams
    }
    slugs = unique_slugs(list(spelled.values()))
    return {key: slugs[text] for key, text in spelled.items()}


def _refuse_shared_tables(streams: Sequence[Stream], where: str) -> None:
    owners: dict[Table, Stream] = {}
    for stream in streams:
        other = owners.setdefault(stream.landing, stream)
        if other is not stream:
            raise ConfigError(
                f"{where}: streams {other.name!r} and {stream.name!r} would both land in"
                f" {stream.landing}; give one of them another namespace"
            )


def _enum(kind: type[_E], config: Mapping[str, Any], key: str, where: str) -> _E:
    value = config.get(key)
    try:
        return kind(value)
    except ValueError:
        expected = ", ".join(member.value for member in kind)
        raise ConfigError(f"{where}: {key}: expected one of {expected}, found {value!r}") from None


def _mapping(container: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = container.get(key)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {key}: expected an object, found {type(value).__name__}")
    return cast("Mapping[str, Any]", value)


def _optional_text(container: Mapping[str, Any], key: str) -> str:
    value = container.get(key)
    return value if isinstance(value, str) and value.strip() else ""


def _text(container: Mapping[str, Any], key: str, where: str) -> str:
    value = container.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: {key}: expected a text, found {value!r}")
    return value
