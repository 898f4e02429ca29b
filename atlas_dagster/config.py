"""What an operator edits under ``config/``: embedded connections and how streams are treated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union

from atlas_dagster.catalog import DestinationMode, SyncMode

JsonValue: TypeAlias = Union[None, bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]"]


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
    """

    natural_key: tuple[tuple[str, ...], ...] = ()
    ignore: frozenset[str] = frozenset()
    time_column: str | None = None


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
