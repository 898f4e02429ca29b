"""Streams of an Airbyte connection as Dagster assets."""

from __future__ import annotations

import re

from dagster import AssetSpec
from dagster_airbyte import AirbyteConnectionTableProps, DagsterAirbyteTranslator
from dagster_airbyte.translator import AirbyteMetadataSet
from dagster_shared.utils.warnings import disable_dagster_warnings

from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.names import slug

_KIND = re.compile(r"[A-Za-z0-9_.-]{1,63}")  # what Dagster takes


class AtlasTranslator(DagsterAirbyteTranslator):
    """Makes the asset ``airbyte/<connection>/<stream>`` of a stream.

    The column schema stands in the materializations: in the definitions it would double what a
    code location loads.
    """

    def __init__(self) -> None:
        with disable_dagster_warnings():  # that DagsterAirbyteTranslator is in beta
            super().__init__()

    def get_stream_spec(self, connection: Connection, stream: Stream) -> AssetSpec:
        """The asset of a stream; Airbyte's own names stay in its metadata."""
        storage = {kind} if _KIND.fullmatch(kind := connection.destination_type) else set[str]()
        return AssetSpec(
            key=["airbyte", connection.slug, stream.slug],
            group_name=connection.slug,
            description=_description(connection, stream),
            kinds={"airbyte", *storage},
            metadata={
                **AirbyteMetadataSet(
                    connection_id=connection.id,
                    connection_name=connection.name,
                    stream_prefix=connection.prefix or None,
                ),
                "atlas/connection_name": connection.name,
                "atlas/stream_name": stream.name,
                **({"atlas/namespace": stream.namespace} if stream.namespace else {}),
            },
        )

    def get_asset_spec(self, props: AirbyteConnectionTableProps) -> AssetSpec:
        """The asset of a table as stock dagster-airbyte describes one, with a key of our kind."""
        spec = super().get_asset_spec(props)
        return AssetSpec(
            key=["airbyte", slug(props.connection_name), slug(props.stream_name)],
            group_name=slug(props.connection_name),
            kinds=spec.kinds,
            metadata=spec.metadata,
        )


def _description(connection: Connection, stream: Stream) -> str:
    text = f"What Airbyte syncs of {stream.label}."
    if not connection.is_active:
        return f"{text} The connection is {connection.status} in Airbyte: it cannot be synced."
    if connection.has_layers:
        return f"{text} It lands in the table `{stream.landing_table}`."
    return text
