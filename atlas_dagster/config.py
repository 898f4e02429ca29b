"""What an operator edits under ``config/``: embedded connections and how streams are treated."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, Union
from zoneinfo import ZoneInfo

from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.catalog_answers import stream_slugs
from atlas_dagster.names import airbyte_identifier, airbyte_tables, slug
from atlas_dagster.settings import Settings
from atlas_dagster.yaml_source import Node, read_yaml, suggestion

JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]

CONNECTION_ID_NAMESPACE = uuid.UUID("6f0d1c0e-6a0c-5d7b-9a55-1d9f3f0a7c21")
DEFAULT_LANDING = "landing"

_SOURCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([0-9][A-Za-z0-9.+!-]*)")
_SOURCE_SHAPE = "a package and its exact version, such as airbyte-source-faker==7.2.1"
_OWNER = re.compile(r"team:.+|[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")
_OWN_SCHEMAS = ("explore", "chart", "navigate", "pipeline", "information_schema")
_WAREHOUSE_MODES = [
    mode
    for mode in DestinationMode
    if mode not in (DestinationMode.UPDATE, DestinationMode.SOFT_DELETE)
]
_DESTINATION_MODES = {
    SyncMode.FULL_REFRESH: (
        DestinationMode.OVERWRITE,
        DestinationMode.OVERWRITE_DEDUP,
        DestinationMode.APPEND,
    ),
    SyncMode.INCREMENTAL: (DestinationMode.APPEND_DEDUP, DestinationMode.APPEND),
}


@dataclass(frozen=True)
class EmbeddedStream:
    """One selected stream of an embedded connection.

    An empty ``cursor`` or ``primary_key`` means: the one that the source itself defines.
    ``fields`` is None where all fields are selected.
    """

    name: str
    namespace: str | None
    sync_mode: SyncMode
    destination_mode: DestinationMode
    cursor: tuple[str, ...] = ()
    primary_key: tuple[tuple[str, ...], ...] = ()
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True)
class EmbeddedConnection:
    """A connection whose source connector runs here, in a venv of its own.

    ``config`` still has its ``${ENV}`` placeholders: secrets are read when a connector starts.
    ``namespace`` is the schema it lands in, ``prefix`` stands before each stream's table name.
    """

    id: str
    name: str
    slug: str
    package: str
    version: str
    executable: str
    config: Mapping[str, JsonValue]
    streams: tuple[EmbeddedStream, ...]
    namespace: str
    prefix: str


@dataclass(frozen=True)
class StreamRules:
    """How one stream's history is built (``config/atlas.yaml``).

    ``natural_key`` and ``time_column`` override Airbyte's primary key and extraction time;
    changes in ``ignore`` columns alone open no new segment. All are property names.
    ``most_vanishing`` is the largest share of the known keys, 0 to 1, that a full refresh may
    make vanish; one that would do more is not believed until an operator accepts it.
    Explore drops versions that are more than ``retention_days`` old; None: it keeps them for ever.
    """

    natural_key: tuple[tuple[str, ...], ...] = ()
    ignore: frozenset[str] = frozenset()
    time_column: str | None = None
    most_vanishing: float = 0.5
    retention_days: int | None = None


@dataclass(frozen=True)
class ConnectionRules:
    """How one connection is run: ``cron`` in ``timezone`` (none: no schedule), owners, streams."""

    cron: str | None = None
    timezone: str = "UTC"
    owners: tuple[str, ...] = ()
    streams: Mapping[str, StreamRules] = field(default_factory=dict[str, StreamRules])


@dataclass(frozen=True)
class AtlasRules:
    """``config/atlas.yaml``, by connection slug; what it does not name gets the defaults."""

    connections: Mapping[str, ConnectionRules] = field(default_factory=dict[str, ConnectionRules])

    def connection(self, slug: str) -> ConnectionRules:
        return self.connections.get(slug, ConnectionRules())

    def stream(self, connection: str, stream: str) -> StreamRules:
        return self.connection(connection).streams.get(stream, StreamRules())

    def retention_days(self) -> dict[tuple[str, str], int]:
        """By connection and stream, how many days explore keeps versions, where it has an end."""
        return {
            (connection, stream): rules.retention_days
            for connection, connection_rules in self.connections.items()
            for stream, rules in connection_rules.streams.items()
            if rules.retention_days is not None
        }


def load_connections(settings: Settings) -> tuple[EmbeddedConnection, ...]:
    """The embedded connections of ``config/connections.yaml``, in its order; none if it is missing.

    Raises ConfigError naming the file, line and key of the first mistake.
    """
    root = read_yaml(settings.connections_file).keys("connections")
    nodes = root["connections"].mapping()
    connections = tuple(_connection(name, node) for name, node in nodes.items())
    _refuse_shared_slugs(nodes)
    _refuse_shared_tables(connections, nodes)
    return connections


def load_rules(settings: Settings, served: Collection[str] | None = ()) -> AtlasRules:
    """The rules of ``config/atlas.yaml``, or the defaults if it is missing.

    Names are checked against the embedded connections and the slugs of those that an Airbyte
    server has (``served``; None: they are not known). Raises ConfigError naming the file, line and
    key of the first mistake.
    """
    root = read_yaml(settings.atlas_file).keys("connections")
    embedded = {connection.slug: connection for connection in load_connections(settings)}
    rules: dict[str, ConnectionRules] = {}
    for name, node in root["connections"].mapping().items():
        connection = embedded.get(slug(name))
        known = [*(connection.name for connection in embedded.values()), *(served or ())]
        if connection is None and known and served is not None and slug(name) not in served:
            raise node.error(f"unknown connection; {suggestion(name, known)}")
        if slug(name) in rules:
            raise node.error(f"has the slug {slug(name)} like another; keep one of them")
        rules[slug(name)] = _connection_rules(node, connection)
    return AtlasRules(rules)


def _connection(name: str, node: Node) -> EmbeddedConnection:
    keys = node.keys("source", "config", "streams", "executable", "namespace", "prefix")
    if not name.strip():
        raise node.error("expected a name")
    source = _SOURCE.fullmatch(keys["source"].text(_SOURCE_SHAPE).strip())
    if source is None:
        raise keys["source"].expected(_SOURCE_SHAPE)
    package, version = source.groups()
    return EmbeddedConnection(
        id=str(uuid.uuid5(CONNECTION_ID_NAMESPACE, name)),
        name=name,
        slug=slug(name),
        package=package,
        version=version,
        executable=_executable(keys["executable"], package),
        config={key: _json(value) for key, value in keys["config"].mapping().items()},
        streams=_streams(keys["streams"]),
        namespace=_namespace(keys["namespace"]),
        prefix=_prefix(keys["prefix"], f"{slug(name)}__"),
    )


def _executable(node: Node, package: str) -> str:
    if node.absent:
        return package.lower().removeprefix("airbyte-")
    name = node.text("the name of a program")
    if "/" in name or name.startswith("."):
        raise node.expected("the name of a program that the package installs, without a path")
    return name


def _namespace(node: Node) -> str:
    name = DEFAULT_LANDING if node.absent else node.text("the name of a schema")
    schema = airbyte_identifier(name)
    if schema in _OWN_SCHEMAS or schema.startswith("pg_"):
        raise node.error(f"the schema {schema} is not for landing tables; name another")
    return name


def _prefix(node: Node, default: str) -> str:
    """The prefix of the landing tables; an empty one is allowed."""
    if node.absent:
        return default
    return "" if node.value == "" else node.text()


def _json(node: Node) -> JsonValue:
    if isinstance(node.value, Mapping):
        return {key: _json(value) for key, value in node.value.items()}
    if isinstance(node.value, tuple):
        return [_json(item) for item in node.value]
    return node.value


def _streams(node: Node) -> tuple[EmbeddedStream, ...]:
    items = node.items()
    if not items:
        raise node.expected("a list of at least one stream")
    streams: dict[tuple[str, str | None], EmbeddedStream] = {}
    for item in items:
        stream = _stream(item)
        if (stream.name, stream.namespace) in streams:
            raise item.error(f"the stream {stream.name!r} stands twice")
        streams[(stream.name, stream.namespace)] = stream
    return tuple(streams.values())


def _stream(node: Node) -> EmbeddedStream:
    if not isinstance(node.value, Mapping):
        name = node.text("the name of a stream, or a mapping")
        return EmbeddedStream(name, None, SyncMode.INCREMENTAL, DestinationMode.APPEND_DEDUP)
    keys = node.keys(
        "name",
        "namespace",
        "sync_mode",
        "destination_sync_mode",
        "cursor",
        "primary_key",
        "fields",
    )
    sync_mode = keys["sync_mode"].choice(SyncMode, SyncMode.INCREMENTAL)
    allowed = _DESTINATION_MODES[sync_mode]
    destination = keys["destination_sync_mode"]
    mode = destination.choice(_WAREHOUSE_MODES, allowed[0])
    if mode not in allowed:
        modes = ", ".join(member.value for member in allowed)
        raise destination.expected(f"one of {modes} with sync_mode {sync_mode.value}")
    fields = _names(keys["fields"])
    cursor = _path(keys["cursor"])
    primary_key = _paths(keys["primary_key"])
    for key, path in [("cursor", cursor), *(("primary_key", path) for path in primary_key)]:
        if fields and path and path[0] not in fields:
            raise keys["fields"].error(f"expected {path[0]!r} among them: it is in {key}")
    return EmbeddedStream(
        name=keys["name"].text("the name of a stream"),
        namespace=None if keys["namespace"].absent else keys["namespace"].text(),
        sync_mode=sync_mode,
        destination_mode=mode,
        cursor=cursor,
        primary_key=primary_key,
        fields=fields or None,
    )


def _path(node: Node) -> tuple[str, ...]:
    """One field: a name, or a list of names that leads to a nested one."""
    if isinstance(node.value, tuple):
        return tuple(item.text("the name of a field") for item in _filled(node))
    return () if node.absent else (node.text("the name of a field, or a list of names"),)


def _paths(node: Node) -> tuple[tuple[str, ...], ...]:
    """Several fields: one name, or a list of names and of paths (see ``_path``)."""
    if not isinstance(node.value, tuple):
        return () if node.absent else (_path(node),)
    paths: list[tuple[str, ...]] = []
    for item in _filled(node):
        path = _path(item)
        if not path:
            raise item.expected("the name of a field, or a list of names")
        if path in paths:
            raise item.error(f"{'.'.join(path)} stands twice")
        paths.append(path)
    return tuple(paths)


def _names(node: Node) -> tuple[str, ...]:
    names: list[str] = []
    for item in () if node.absent else _filled(node):
        name = item.text("the name of a field")
        if name in names:
            raise item.error(f"{name} stands twice")
        names.append(name)
    return tuple(names)


def _filled(node: Node) -> tuple[Node, ...]:
    if not node.items():
        raise node.error("expected at least one name; found an empty list")
    return node.items()


def _refuse_shared_slugs(connections: Mapping[str, Node]) -> None:
    owners: dict[str, str] = {}
    for name, node in connections.items():
        other = owners.setdefault(slug(name), name)
        if other != name:
            raise node.error(f"has the slug {slug(name)}, as {other!r} has; rename one of them")


def _refuse_shared_tables(
    connections: Sequence[EmbeddedConnection], nodes: Mapping[str, Node]
) -> None:
    owners: dict[tuple[str, str], str] = {}
    for connection in connections:
        items = nodes[connection.name].mapping()["streams"].items()
        names = [f"{connection.prefix}{stream.name}" for stream in connection.streams]
        tables = airbyte_tables([(connection.namespace, name) for name in names])
        for item, table in zip(items, tables, strict=True):
            if table in owners:
                raise item.error(
                    f"would land in {'.'.join(table)}, as {owners[table]} does;"
                    " split them over two connections, or set another prefix"
                )
            owners[table] = item.path


def _connection_rules(node: Node, connection: EmbeddedConnection | None) -> ConnectionRules:
    keys = node.keys("cron", "timezone", "owners", "streams")
    streams: dict[str, StreamRules] = {}
    known = stream_slugs([(s.name, s.namespace) for s in connection.streams]) if connection else {}
    slugs = {name: stream for (name, _), stream in known.items()}  # here, no name stands twice
    for name, item in keys["streams"].mapping().items():
        if connection and name not in slugs:
            raise item.error(f"unknown stream; {suggestion(name, slugs)}")
        stream = slugs.get(name) or slug(name)
        if stream in streams:
            raise item.error(f"has the slug {stream} like another; keep one of them")
        streams[stream] = _stream_rules(item)
    return ConnectionRules(
        cron=_cron(keys["cron"]),
        timezone=_timezone(keys["timezone"]),
        owners=tuple(_owner(item) for item in keys["owners"].items()),
        streams=streams,
    )


def _stream_rules(node: Node) -> StreamRules:
    keys = node.keys("natural_key", "ignore", "time_column", "most_vanishing", "retention_days")
    natural_key = _paths(keys["natural_key"])
    ignore = _names(keys["ignore"])
    for path in natural_key:
        if path[0] in ignore:
            raise keys["ignore"].error(f"{path[0]!r} is in natural_key: it cannot be ignored")
    time_column = keys["time_column"]
    return StreamRules(
        natural_key=natural_key,
        ignore=frozenset(ignore),
        time_column=None if time_column.absent else time_column.text("the name of a field"),
        most_vanishing=_share(keys["most_vanishing"], default=0.5),
        retention_days=_days(keys["retention_days"]),
    )


def _share(node: Node, default: float) -> float:
    if node.absent:
        return default
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise node.expected("a share from 0 to 1")
    return float(value)


def _days(node: Node) -> int | None:
    if node.absent:
        return None
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 1:
        raise node.expected("a whole number of days, 1 or more")
    return node.value


def _cron(node: Node) -> str | None:
    if node.absent:
        return None
    what = "a cron expression of 5 fields"
    cron = node.text(what)
    # Dagster is the judge of what its schedules accept; where a cron matters it is loaded already.
    from dagster import DagsterInvalidDefinitionError, ScheduleDefinition

    try:
        ScheduleDefinition(name="schedule", job_name="job", cron_schedule=cron)
    except DagsterInvalidDefinitionError:
        raise node.expected(what) from None
    return cron


def _timezone(node: Node) -> str:
    if node.absent:
        return "UTC"
    what = "a time zone such as Europe/Paris"
    name = node.text(what)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a directory of names
        raise node.expected(what) from None
    return name


def _owner(node: Node) -> str:
    what = "an e-mail address or team:<name>"
    owner = node.text(what)
    if not _OWNER.fullmatch(owner):
        raise node.expected(what)
    return owner
