"""The catalog of an Airbyte server as it was last fetched: what definitions are made of.

Loading definitions asks no server. `atlas refresh` fetches the catalog into a file beside the
process, which is all that definitions read, and into ``pipeline.workspace_snapshot``, from which
another machine takes it while Airbyte is down.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
from psycopg.types.json import Json

from atlas_dagster.airbyte.process import write_private
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.errors import ConfigError
from atlas_dagster.names import slug, tailed_slug
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection

_DESTINATION_KEYS = ("destinationId", "name", "destinationType", "definitionId")
_CONFIGURATION_KEYS = (
    *("host", "port", "database", "schema"),
    *("disable_type_dedupe", "raw_data_schema", "cdc_deletion_mode"),
)


class StoredConnection(msgspec.Struct, frozen=True):
    """A connection with the last good answers; ``problem`` says why they are not today's.

    ``digest`` is one of all that is made of the answers: it changes with what definitions show.
    """

    id: str
    name: str
    slug: str
    details: dict[str, Any]
    destination: dict[str, Any]
    problem: str | None = None
    digest: str = ""


class IndexedConnection(msgspec.Struct, frozen=True):
    """A connection without its answers."""

    id: str
    name: str
    slug: str
    problem: str | None = None
    digest: str = ""


class SnapshotIndex(msgspec.Struct, frozen=True):
    """A snapshot without its answers: what can be read each time that somebody looks."""

    workspace_id: str
    fetched_at: datetime
    connections: list[IndexedConnection]
    failure: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """The connections of a workspace; ``failure`` says why the last refresh brought nothing."""

    workspace_id: str
    fetched_at: datetime
    connections: list[StoredConnection]
    failure: str | None = None

    def connection(self, connection_id: str) -> StoredConnection | None:
        return next((stored for stored in self.connections if stored.id == connection_id), None)


@dataclass(frozen=True)
class ServerConnection:
    """A connection of the snapshot; ``stale`` says why it may have changed since."""

    connection: Connection
    fetched_at: datetime
    stale: str | None


def load_snapshot(settings: Settings) -> Snapshot | None:
    """The snapshot on this machine; None where there is none of the workspace that is set.

    Raises ConfigError where the file is damaged.
    """
    if settings.airbyte is None:
        return None
    try:
        content = settings.snapshot_file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        snapshot = msgspec.json.decode(content, type=Snapshot)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{settings.snapshot_file}: {error}; run atlas refresh") from None
    return snapshot if snapshot.workspace_id == settings.airbyte.workspace_id else None


class IndexReader:
    """Reads the index of the snapshot on this machine, anew only where the file has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read: tuple[tuple[int, int], SnapshotIndex] | None = None

    def read(self) -> SnapshotIndex | None:
        """The index; None where there is no snapshot of the workspace that is set.

        Raises ConfigError where the file is damaged.
        """
        file = self._settings.snapshot_file
        try:
            status = file.stat()
            version = status.st_mtime_ns, status.st_ino
            if self._read is None or self._read[0] != version:
                index = msgspec.json.decode(file.read_bytes(), type=SnapshotIndex)
                self._read = version, index
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise ConfigError(f"{file}: {error}; run atlas refresh") from None
        index = self._read[1]
        airbyte = self._settings.airbyte
        return index if airbyte and index.workspace_id == airbyte.workspace_id else None


def index_of(snapshot: Snapshot) -> SnapshotIndex:
    """A snapshot without the answers that it holds."""
    connections = [
        IndexedConnection(stored.id, stored.name, stored.slug, stored.problem, stored.digest)
        for stored in snapshot.connections
    ]
    return SnapshotIndex(snapshot.workspace_id, snapshot.fetched_at, connections, snapshot.failure)


def digest(connection: Connection) -> str:
    """The digest of all that definitions are made of in a connection."""
    return hashlib.sha256(msgspec.json.encode(connection)).hexdigest()[:16]


def save_snapshot(settings: Settings, snapshot: Snapshot) -> None:
    """Put a snapshot where definitions read it."""
    write_private(settings.snapshot_file, msgspec.json.encode(snapshot))


def load_stored(connection: PgConnection, workspace_id: str) -> Snapshot | None:
    """The snapshot in the warehouse."""
    row = connection.execute(
        "select snapshot::text from pipeline.workspace_snapshot where workspace_id = %s",
        (workspace_id,),
    ).fetchone()
    return msgspec.json.decode(row[0], type=Snapshot) if row else None


def store(connection: PgConnection, snapshot: Snapshot) -> None:
    """Keep a snapshot in the warehouse."""
    connection.execute(
        "insert into pipeline.workspace_snapshot (workspace_id, snapshot, fetched_at)"
        " values (%s, %s, %s) on conflict (workspace_id) do update"
        " set snapshot = excluded.snapshot, fetched_at = excluded.fetched_at",
        (
            snapshot.workspace_id,
            Json(snapshot, dumps=msgspec.json.encode),
            snapshot.fetched_at,
        ),
    )


def server_connections(snapshot: Snapshot) -> list[ServerConnection]:
    """The connections that definitions are made of, in the order of their slugs."""
    return [
        ServerConnection(
            connection=parse_connection(stored.details, stored.destination, stored.slug),
            fetched_at=snapshot.fetched_at,
            stale=snapshot.failure or stored.problem,
        )
        for stored in sorted(snapshot.connections, key=lambda stored: stored.slug)
        if stored.details
    ]


def problems(snapshot: Snapshot | SnapshotIndex) -> list[str]:
    """What is wrong with single connections, a sentence each."""
    return [f"{stored.name}: {stored.problem}" for stored in snapshot.connections if stored.problem]


def served_slugs(settings: Settings) -> list[str] | None:
    """The slugs of the server's connections; None where a server is set that has told none yet."""
    return known_slugs(settings, load_snapshot(settings))


def known_slugs(settings: Settings, snapshot: Snapshot | None) -> list[str] | None:
    """The same of a snapshot that has been read."""
    if snapshot is None:
        return None if settings.airbyte else []
    return [stored.slug for stored in snapshot.connections]


def assign_slugs(
    names: Mapping[str, str], known: Mapping[str, str], embedded: Collection[str]
) -> dict[str, str]:
    """Slug the connections (id to name), each apart from the others and from the embedded ones.

    A connection keeps the slug it is ``known`` by, whatever it is called since: its tables and
    assets are named by it. A name that several have, or that would give jobs or steps of two
    connections one name, gets a tail made of the connection's id.
    """
    slugs = {id_: known[id_] for id_ in names if id_ in known}
    fresh = {id_: slug(name) for id_, name in names.items() if id_ not in slugs}
    claims = Counter([*embedded, *slugs.values(), *fresh.values()])
    for id_, candidate in fresh.items():
        is_free = claims[candidate] == 1 and not any(name in claims for name in _kin(candidate))
        slugs[id_] = candidate if is_free else tailed_slug(candidate, id_)
    return slugs


def slim_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of `connections/get` without what mappers are set to: it may hold keys."""
    catalog = _object(details.get("syncCatalog"))
    entries = cast("Sequence[object]", catalog.get("streams") or [])
    streams = [_without_mapper_settings(_object(entry)) for entry in entries]
    return {**details, "syncCatalog": {**catalog, "streams": streams}}


def slim_destination(destination: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of `destinations/{id}` with what Atlas uses: no user, no password, no key."""
    configuration = _object(destination.get("configuration"))
    return {
        **{key: destination[key] for key in _DESTINATION_KEYS if key in destination},
        "configuration": {
            key: configuration[key] for key in _CONFIGURATION_KEYS if key in configuration
        },
    }


def _without_mapper_settings(entry: dict[str, Any]) -> dict[str, Any]:
    config = _object(entry.get("config"))
    mappers = cast("Sequence[object]", config.get("mappers") or [])
    kinds = [{"type": _object(mapper).get("type")} for mapper in mappers]
    return {**entry, "config": {**config, "mappers": kinds}} if mappers else entry


def _kin(candidate: str) -> set[str]:
    """The slugs beside which jobs or steps of two connections would share a name."""
    endings = ("_sync", "_layers")
    longer = {f"sync_{candidate}", *(f"{candidate}{ending}" for ending in endings)}
    shorter = {
        candidate.removeprefix("sync_"),
        *(candidate.removesuffix(ending) for ending in endings),
    }
    return longer | (shorter - {candidate})


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
