"""The embedded Airbyte as dagster-airbyte's workspace resource."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from dagster import AssetExecutionContext, AssetSpec, DagsterRunStatus, Failure
from dagster_airbyte import AirbyteWorkspace, DagsterAirbyteTranslator
from dagster_airbyte.translator import AirbyteConnection, AirbyteMetadataSet
from dagster_airbyte.utils import DAGSTER_AIRBYTE_TRANSLATOR_METADATA_KEY
from dagster_shared.utils.cached_method import cached_method
from dagster_shared.utils.warnings import disable_dagster_warnings
from pydantic import PrivateAttr

from atlas_dagster.airbyte import catalogs
from atlas_dagster.airbyte.client import POLL_SECONDS, EmbeddedAirbyteClient
from atlas_dagster.airbyte.events import (
    SyncEvents,
    embedded_metadata,
    server_metadata,
    stream_events,
)
from atlas_dagster.airbyte.snapshot import (
    ServerConnection,
    Snapshot,
    load_snapshot,
    server_connections,
)
from atlas_dagster.airbyte.sync_summary import embedded_summary, server_summary
from atlas_dagster.airbyte.translator import AtlasTranslator
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.errors import AtlasError, ConfigError, WarehouseError
from atlas_dagster.settings import Settings, load_settings

CLOSING_SECONDS = 30.0


class AtlasAirbyteWorkspace(AirbyteWorkspace):
    """An AirbyteWorkspace of the connections in ``config/connections.yaml`` and of a server.

    Settings, connections and the warehouse's URL come from the environment when they are needed:
    as fields of the resource they would show in Dagster's UI.
    """

    rest_api_base_url: str = "embedded"
    configuration_api_base_url: str = "embedded"
    workspace_id: str = catalogs.WORKSPACE_ID
    poll_interval: float = POLL_SECONDS

    _settings: Settings | None = PrivateAttr(default=None)

    def __init__(self, **values: Any) -> None:
        with disable_dagster_warnings():  # that AirbyteWorkspace is in beta
            super().__init__(**values)

    @cached_method
    def get_client(self) -> EmbeddedAirbyteClient:
        """The client that answers in this process."""
        return EmbeddedAirbyteClient.open(self._settings or load_settings())

    def connections(self) -> list[Connection]:
        """The connections with their streams, by the catalog as last discovered."""
        client = self.get_client()
        return [
            _load_connection(client, embedded.id, embedded.slug)
            for embedded in client.embedded_connections()
        ]

    def server_snapshot(self) -> Snapshot | None:
        """The server's catalog as last fetched; None where there is no server, or none yet."""
        return load_snapshot(self._settings or load_settings())

    def server_connections(self) -> list[ServerConnection]:
        """The connections of the Airbyte server, by its catalog as last fetched."""
        snapshot = self.server_snapshot()
        return server_connections(snapshot) if snapshot else []

    def connection_specs(
        self, connection: Connection, translator: AtlasTranslator | None = None
    ) -> list[AssetSpec]:
        """One asset a stream; two namespaces may have streams of one name."""
        chosen = translator or AtlasTranslator()
        tag = {DAGSTER_AIRBYTE_TRANSLATOR_METADATA_KEY: chosen}
        return [
            chosen.get_stream_spec(connection, stream).merge_attributes(metadata=tag)
            for stream in connection.streams
        ]

    def load_asset_specs(
        self,
        dagster_airbyte_translator: DagsterAirbyteTranslator | None = None,
        connection_selector_fn: Callable[[AirbyteConnection], bool] | None = None,
    ) -> Sequence[AssetSpec]:
        """The assets of all connections; what `airbyte_assets` calls."""
        translator = dagster_airbyte_translator or AtlasTranslator()
        if not isinstance(translator, AtlasTranslator):
            raise ConfigError("embedded connections need an AtlasTranslator")
        client = self.get_client()
        return [
            spec
            for connection in self.connections()
            if connection_selector_fn is None
            or connection_selector_fn(
                AirbyteConnection.from_connection_details(
                    client.get_connection_details(connection.id)
                )
            )
            for spec in self.connection_specs(connection, translator)
        ]

    def sync_and_poll(self, context: AssetExecutionContext) -> SyncEvents:
        """Sync the connection of the step's assets and yield one event a synced stream.

        Where the sync fails, the streams that are whole are materialized before Failure is raised.
        """
        connection_id = next(
            str(AirbyteMetadataSet.extract(spec.metadata).connection_id)
            for spec in context.assets_def.specs
        )
        client = self.get_client()
        if not client.has_connection(connection_id):
            yield from self._sync_on_server(context, connection_id)
            return
        client.serve_run(context.run.run_id)
        before = client.newest_sync(connection_id)
        failure: Failure | None = None
        try:
            client.sync_and_poll(connection_id)
        except AtlasError as error:
            failure = Failure(str(error))
        except Failure as error:
            failure = error
        sync = client.newest_sync(connection_id)
        if sync is None or sync is before:
            raise failure or Failure("the sync was not started")
        sync.join(CLOSING_SECONDS)  # the ledger knows that it ended a moment before it says why
        if failure is not None and sync.failure:
            failure = Failure(sync.failure)
        try:
            yield from _embedded_events(context, client, sync.job_id, sync.embedded.slug)
        except (psycopg.Error, WarehouseError) as error:
            raise failure or Failure(f"the sync's counts cannot be read: {error}") from None
        if failure is not None:
            raise failure

    def _sync_on_server(self, context: AssetExecutionContext, connection_id: str) -> SyncEvents:
        """Sync a connection of the server; a failed job still materializes what is complete."""
        from atlas_dagster.airbyte.server_run import run_sync
        from atlas_dagster.airbyte.server_sync import Follower

        settings = self._settings or load_settings()
        snapshot = self.server_snapshot()
        stored = snapshot.connection(connection_id) if snapshot else None
        if settings.airbyte is None or stored is None:
            raise ConfigError(f"there is no connection {connection_id}; run atlas refresh")
        reattaches = settings.airbyte.reattaches
        follower = Follower(
            note=context.log.info,
            cancels=lambda: not reattaches or _is_being_cancelled(context),
            poll_seconds=settings.airbyte.poll_seconds,
        )
        outcome, connection = run_sync(
            settings, settings.airbyte, stored, context.run.run_id, follower
        )
        page = server_summary(outcome)
        told = {
            synced.key: server_metadata(outcome, synced, connection, page)
            for synced in outcome.streams
            if synced.complete
        }
        yield from stream_events(context, told)
        if outcome.failure:
            raise Failure(outcome.failure)


def build_workspace(settings: Settings) -> AtlasAirbyteWorkspace:
    """The workspace of the embedded connections."""
    workspace = AtlasAirbyteWorkspace()
    workspace._settings = settings  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return workspace


def _load_connection(client: EmbeddedAirbyteClient, connection_id: str, slug: str) -> Connection:
    details = client.get_connection_details(connection_id)
    destination = client.get_destination_details(details["destinationId"])
    return parse_connection(details, destination, slug)


def _embedded_events(
    context: AssetExecutionContext, client: EmbeddedAirbyteClient, job_id: int, slug: str
) -> SyncEvents:
    """The events of the streams that are whole."""
    job = client.get_job(job_id)
    connection = _load_connection(client, job.connection_id, slug)
    database = client.get_database()
    streams = client.get_streams(job)
    page = embedded_summary(job, streams)
    told = {
        synced.key: embedded_metadata(job, synced, stream, database, page)
        for synced in streams
        if synced.status == "complete"
        and (stream := connection.stream(synced.name, synced.namespace)) is not None
    }
    yield from stream_events(context, told)


def _is_being_cancelled(context: AssetExecutionContext) -> bool:
    """Whether a person asked Dagster to stop the run: else its process just has to go."""
    run = context.instance.get_run_by_id(context.run.run_id)
    return run is not None and run.status is DagsterRunStatus.CANCELING
