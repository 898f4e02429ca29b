"""Fetching the catalog of an Airbyte server: all connections of a workspace, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from atlas_dagster.airbyte.http import MOST_AT_ONCE, AirbyteHttp, Json
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.snapshot import (
    Snapshot,
    StoredConnection,
    assign_slugs,
    digest,
    load_snapshot,
    load_stored,
    save_snapshot,
    slim_destination,
    slim_details,
    store,
)
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.config import load_connections
from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError, AtlasError, ConfigError
from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url

MOST_UNANSWERED = 3


def refresh(settings: Settings, retries: Retries = DEFAULT_RETRIES) -> Snapshot:
    """Fetch the catalog and keep it; where that fails, the last good one stays and says why.

    Raises ConfigError where no server is set, where it has no such workspace, or where it cannot be
    asked and there is no catalog to go on with.
    """
    if settings.airbyte is None:
        raise ConfigError("no Airbyte server is set: AIRBYTE_REST_API_BASE_URL and its like")
    with connect(resolve_url(settings), application="atlas refresh") as warehouse:
        migrate(warehouse)
        previous = _previous(settings, warehouse)
        http = AirbyteHttp(settings.airbyte, retries)
        try:
            embedded = [connection.slug for connection in load_connections(settings)]
            snapshot = fetch_workspace(AirbyteApi(http), previous, embedded)
            store(warehouse, snapshot)
        except AirbyteError as error:
            if previous is None:
                raise
            snapshot = Snapshot(
                previous.workspace_id, previous.fetched_at, previous.connections, str(error)
            )
        finally:
            http.close()
    save_snapshot(settings, snapshot)
    return snapshot


def fetch_workspace(
    api: AirbyteApi, previous: Snapshot | None, embedded: Collection[str]
) -> Snapshot:
    """Read all connections of the workspace, and each destination once.

    A connection that cannot be read, or that makes no sense, is as it was in ``previous``, with
    the reason; one that is new as well is left out of definitions. Raises AirbyteError where the
    workspace cannot be read at all, ConfigError where there is none.
    """
    api.check_workspace()
    listed = {str(item["connectionId"]): item for item in api.connections()}
    known = {stored.id: stored for stored in previous.connections} if previous else {}
    slugs = assign_slugs(
        {id_: str(item.get("name") or id_) for id_, item in listed.items()},
        {id_: stored.slug for id_, stored in known.items()},
        embedded,
    )
    asker = _Asker()
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="airbyte") as pool:
        ids = dict.fromkeys(str(item.get("destinationId")) for item in listed.values())
        # They are asked for first: a thread that waits for one waits for what another is at.
        destinations = {id_: pool.submit(asker.ask, api.destination, id_) for id_ in ids}

        def read(id_: str) -> StoredConnection:
            item = listed[id_]
            details = asker.ask(api.connection, id_)
            destination = destinations[str(item.get("destinationId"))].result()
            return _stored(item, slugs[id_], details, destination, known.get(id_))

        connections = list(pool.map(read, listed))
    return Snapshot(api.workspace_id, datetime.now(timezone.utc), connections)


def _previous(settings: Settings, warehouse: PgConnection) -> Snapshot | None:
    """The newer of the snapshots on this machine and in the warehouse."""
    assert settings.airbyte
    try:
        local = load_snapshot(settings)
    except ConfigError:  # damaged, and about to be replaced
        local = None
    found = [local, load_stored(warehouse, settings.airbyte.workspace_id)]
    return max((s for s in found if s), key=lambda s: s.fetched_at, default=None)


class _Asker:
    """Asks, and gives a failure as its error. A server that left a few unanswered is not asked."""

    def __init__(self) -> None:
        self._unanswered: list[AirbyteError] = []

    def ask(self, question: Callable[[str], Json], id_: str) -> Json | AirbyteError:
        if len(self._unanswered) >= MOST_UNANSWERED:
            return self._unanswered[0]
        try:
            return question(id_)
        except AirbyteError as error:
            if isinstance(error, AirbyteUnavailableError):
                self._unanswered.append(error)
            return error


def _stored(
    item: Json,
    slug: str,
    details: Json | AirbyteError,
    destination: Json | AirbyteError,
    before: StoredConnection | None,
) -> StoredConnection:
    """A connection as it is; where it cannot be read, as it was, with the reason."""
    name = str(item.get("name") or item["connectionId"])
    try:
        read = slim_details(_unless_failed(details))
        target = slim_destination(_unless_failed(destination))
        made = digest(parse_connection(read, target, slug))
        return StoredConnection(str(item["connectionId"]), name, slug, read, target, digest=made)
    except AtlasError as error:
        return StoredConnection(
            str(item["connectionId"]),
            name,
            slug,
            before.details if before else {},
            before.destination if before else {},
            str(error),
            before.digest if before else "",
        )


def _unless_failed(answer: Json | AirbyteError) -> Json:
    if isinstance(answer, AirbyteError):
        raise answer
    return answer
