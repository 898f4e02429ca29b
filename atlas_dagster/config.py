"""``config/connections.yaml``: the embedded connections."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, Union

from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.names import airbyte_identifier, airbyte_tables, slug
from atlas_dagster.settings import Settings
from atlas_dagster.yaml_fields import field_names, field_path, field_paths
from atlas_dagster.yaml_source import Node, read_yaml

JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]

CONNECTION_ID_NAMESPACE = uuid.UUID("6f0d1c0e-6a0c-5d7b-9a55-1d9f3f0a7c21")
DEFAULT_LANDING = "landing"

_SOURCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([0-9][A-Za-z0-9.+!-]*)")
_SOURCE_SHAPE = "a package and its exact version, such as airbyte-source-faker==7.2.1"
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

    A mode that is None is chosen by what the source can do. An empty ``cursor`` or ``primary_key``
    means: the one that the source itself defines. ``fields`` is None where all fields are selected.
    ``where`` is the place in the file, as errors begin with it.
    """

    name: str
    namespace: str | None = None
    sync_mode: SyncMode | None = None
    destination_mode: DestinationMode | None = None
    cursor: tuple[str, ...] = ()
    primary_key: tuple[tuple[str, ...], ...] = ()
    fields: tuple[str, ...] | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class EmbeddedConnection:
    """A connection whose source connector runs here, in a venv of its own.

    ``config`` still has its ``${ENV}`` placeholders: secrets are read when a connector starts.
    ``namespace`` is the schema it lands in, ``prefix`` stands before each stream's table name.
    ``file`` is where it is written, as an operator knows it.
    """

    id: str
    name: str
    slug: str
    package: str
    version: str
    executable: str
    config: Mapping[str, JsonValue] = field(repr=False)
    streams: tuple[EmbeddedStream, ...]
    namespace: str
    prefix: str
    file: str


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
        file=node.file,
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
        return EmbeddedStream(name, where=node.where)
    keys = node.keys(
        "name",
        "namespace",
        "sync_mode",
        "destination_sync_mode",
        "cursor",
        "primary_key",
        "fields",
    )
    sync_mode, mode = _modes(keys["sync_mode"], keys["destination_sync_mode"])
    fields = field_names(keys["fields"])
    cursor = field_path(keys["cursor"])
    primary_key = field_paths(keys["primary_key"])
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
        where=node.where,
    )


def _modes(sync: Node, destination: Node) -> tuple[SyncMode | None, DestinationMode | None]:
    """The modes that are written; a destination mode that goes with one sync mode implies it."""
    sync_mode = sync.choice(SyncMode, None)
    mode = destination.choice(_WAREHOUSE_MODES, None)
    if mode is None:
        return sync_mode, None
    fitting = [each for each, allowed in _DESTINATION_MODES.items() if mode in allowed]
    if sync_mode is None:
        return (fitting[0] if len(fitting) == 1 else None), mode
    if sync_mode not in fitting:
        modes = ", ".join(member.value for member in _DESTINATION_MODES[sync_mode])
        raise destination.expected(f"one of {modes} with sync_mode {sync_mode.value}")
    return sync_mode, mode


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
