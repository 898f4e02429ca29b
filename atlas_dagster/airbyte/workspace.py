"""The embedded Airbyte as dagster-airbyte's workspace resource."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

import psycopg
from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetSpec,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)
from dagster._core.definitions.metadata import TableMetadataSet
from dagster_airbyte import AirbyteWorkspace, DagsterAirbyteTranslator
from dagster_airbyte.translator import AirbyteConnection, AirbyteMetadataSet
from dagster_airbyte.utils import DAGSTER_AIRBYTE_TRANSLATOR_METADATA_KEY
from dagster_shared.utils.cached_method import cached_method
from pydantic import PrivateAttr

from atlas_dagster.airbyte import catalogs
from atlas_dagster.airbyte.client import POLL_SECONDS, EmbeddedAirbyteClient
from atlas_dagster.airbyte.jobs import Job, StreamKey, StreamSync
from atlas_dagster.airbyte.snapshot import (
    ServerConnection,
    Snapshot,
    load_snapshot,
    server_connections,
)
from atlas_dagster.airbyte.translator import AtlasTranslator
from atlas_dagster.catalog import Connection, Stream, parse_connection
from atlas_dagster.errors import AtlasError, ConfigError, WarehouseError
from atlas_dagster.settings import Settings, load_settings

CLOSING_SECONDS = 30.0

SyncEvents: TypeAlias = Generator[MaterializeResult[Any] | AssetMaterialization, Any, None]


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
            yield from _events(context, client, sync.job_id, sync.embedded.slug)
        except (psycopg.Error, WarehouseError) as error:
            raise failure or Failure(f"the sync's counts cannot be read: {error}") from None
        if failure is not None:
            raise failure


def build_workspace(settings: Settings) -> AtlasAirbyteWorkspace:
    """The workspace of the embedded connections."""
    workspace = AtlasAirbyteWorkspace()
    workspace._settings = settings  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return workspace


def _load_connection(client: EmbeddedAirbyteClient, connection_id: str, slug: str) -> Connection:
    details = client.get_connection_details(connection_id)
    destination = client.get_destination_details(details["destinationId"])
    return parse_connection(details, destination, slug)


def _events(
    context: AssetExecutionContext, client: EmbeddedAirbyteClient, job_id: int, slug: str
) -> SyncEvents:
    """The events of the streams that are whole.

    Airbyte syncs a connection as a whole: streams that were not selected are materialized too.
    """
    job = client.get_job(job_id)
    connection = _load_connection(client, job.connection_id, slug)
    database = client.get_database()
    specs = {key: spec for spec in context.assets_def.specs if (key := _stream_key(spec))}
    for synced in client.get_streams(job):
        stream = connection.stream(synced.name, synced.namespace)
        spec = specs.get(synced.key)
        if synced.status != "complete" or stream is None or spec is None:
            continue
        metadata = _metadata(job, synced, stream, database)
        if spec.key in context.selected_asset_keys:
            yield MaterializeResult(asset_key=spec.key, metadata=metadata)
        else:
            yield AssetMaterialization(asset_key=spec.key, metadata=metadata)


def _stream_key(spec: AssetSpec) -> StreamKey | None:
    name = spec.metadata.get("atlas/stream_name")
    return (str(name), spec.metadata.get("atlas/namespace")) if name else None


def _metadata(job: Job, synced: StreamSync, stream: Stream, database: str) -> dict[str, Any]:
    seconds = (job.updated_at - job.created_at).total_seconds()
    metadata: dict[str, Any] = {
        **TableMetadataSet(
            column_schema=_column_schema(stream), table_name=f"{database}.{stream.landing}"
        ),
        "atlas/job_id": job.job_id,
        "atlas/generation_id": synced.generation_id,
        "atlas/records_emitted": synced.records_emitted,
        "atlas/records_committed": synced.records_committed,
        "atlas/bytes_emitted": synced.bytes_emitted,
        "atlas/bytes_committed": synced.bytes_committed,
        "atlas/duration_seconds": round(seconds, 3),
        "atlas/touched_days": MetadataValue.json(
            [day.isoformat() for day in sorted(synced.touched_days)]
        ),
    }
    if synced.cursor_value is not None:
        metadata["atlas/cursor_value"] = synced.cursor_value
    return metadata


def _column_schema(stream: Stream) -> TableSchema:
    keys = {path[0] for path in stream.primary_key if len(path) == 1}
    return TableSchema(
        columns=[
            TableColumn(
                name=column.landing,
                type=column.type.value,
                description=column.description,
                constraints=TableColumnConstraints(
                    nullable=True, other=["primary key"] if column.name in keys else []
                ),
            )
            for column in stream.columns
        ]
    )
