"""`layer_frames`: the table of a layer as the input of somebody's own asset, in DataFrames."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast, get_origin

import dagster as dg

from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.assets.layer_assets import LAYERS
from atlas_dagster.assets.partitions import days_between, utc_day
from atlas_dagster.catalog import Table
from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.layers.frames import (
    CHUNK_ROWS,
    AsOf,
    Days,
    Selection,
    end_of,
    read_chunks,
    read_frame,
)
from atlas_dagster.names import layer_table
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, resolve_url, table_exists

if TYPE_CHECKING:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

AS_OF = "atlas/as_of"
COLUMNS = "atlas/columns"


def _is_iterator(_: object, value: object) -> bool:
    return isinstance(value, Iterator)


Chunks = dg.DagsterType(
    name="Chunks",
    type_check_fn=_is_iterator,
    typing_type=Iterator,
    description="DataFrames of bounded rows, one after the other.",
)
"""The type of an input that wants its table in chunks: Dagster refuses ``Iterator[…]`` hints."""


@dataclass(frozen=True)
class FrameRequest:
    """What an input asks for: a table, which of its rows and columns, whole or in chunks."""

    key: dg.AssetKey
    table: Table
    selection: Selection
    columns: Sequence[str] | None
    in_chunks: bool


@dg.input_manager(
    config_schema={
        "chunk_rows": dg.Field(
            int, default_value=CHUNK_ROWS, description="The most rows of a DataFrame of a chunk."
        )
    },
    description="Loads the table of a layer as pandas DataFrames.",
)
def layer_frames(context: dg.InputContext) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """Load an input whose asset key is ``<layer>/<connection>/<stream>``.

    The rows are those of the partitions that the run is for, in navigate as of the end of a single
    one; of all of them where the asset has none. ``atlas/as_of`` and ``atlas/columns`` in the
    input's metadata choose an instant and columns. Raises Failure with one sentence.
    """
    with operator_errors(context.name):
        request = frame_request(context)
    chunk_rows = int((context.resource_config or {}).get("chunk_rows", CHUNK_ROWS))
    return _chunks(request, chunk_rows) if request.in_chunks else _frame(request)


def frame_request(context: dg.InputContext) -> FrameRequest:
    """What an input asks for; raises ConfigError where its key or its metadata is wrong."""
    table = layer_table_of(context.asset_key)
    metadata = context.definition_metadata
    unknown = [k for k in metadata if k.startswith("atlas/") and k not in (AS_OF, COLUMNS)]
    if unknown:
        raise ConfigError(
            f"input {context.name}: metadata {unknown[0]}: expected {AS_OF} or {COLUMNS}"
        )
    selection = (
        AsOf(_instant(context.name, _plain(metadata[AS_OF])))
        if AS_OF in metadata
        else _partitions(context, table.schema)
    )
    return FrameRequest(
        context.asset_key, table, selection, _columns(context.name, metadata), _is_chunked(context)
    )


def layer_table_of(key: dg.AssetKey) -> Table:
    """The table behind the asset key of a layer; raises ConfigError where it is none."""
    if len(key.path) != 3 or key.path[0] not in LAYERS:
        raise ConfigError(
            f"layer_frames cannot load {key.to_user_string()}: expected"
            f" <layer>/<connection>/<stream>, the layer one of {', '.join(LAYERS)}"
        )
    layer, connection, stream = key.path
    return Table(layer, layer_table(connection, stream))


def _frame(request: FrameRequest) -> pd.DataFrame:
    with operator_errors(request.key.to_user_string()), _connect(request) as connection:
        return read_frame(connection, request.table, request.selection, request.columns)


def _chunks(request: FrameRequest, chunk_rows: int) -> Generator[pd.DataFrame]:
    with operator_errors(request.key.to_user_string()), _connect(request) as connection:
        yield from read_chunks(
            connection, request.table, request.selection, request.columns, chunk_rows
        )


def _connect(request: FrameRequest) -> PgConnection:
    """A connection of the input's own; raises WarehouseError where the table is not built."""
    connection = connect(resolve_url(load_settings()), application="atlas frames")
    if not table_exists(connection, request.table):
        connection.close()
        raise WarehouseError(
            f"there is no table {request.table} yet: materialize"
            f" {request.key.to_user_string()} first"
        )
    return connection


def _partitions(context: dg.InputContext, layer: str) -> Selection:
    """The days of the input's asset that the run is for."""
    window = _time_window(context)
    if window is None:
        return None
    start, end = utc_day(window.start), utc_day(window.end - timedelta(microseconds=1))
    days = Days(*days_between(start, end))
    if layer == "navigate" and start == end:
        return end_of(days.last)
    return days


def _time_window(context: dg.InputContext) -> dg.TimeWindow | None:
    """The time that the run is for; None where its asset has no partitions, or none in time.

    An asset key that another code location defines has no partitions in this one: those of the
    asset that is being materialized count then.
    """
    if context.has_asset_partitions:
        return context.asset_partitions_time_window
    step = context.step_context
    if step.entity_partitions_def is None or not step.has_partitions:
        return None
    try:
        return step.partition_time_window
    except dg.DagsterInvariantViolationError:  # partitions of another kind
        return None


def _is_chunked(context: dg.InputContext) -> bool:
    hint = context.dagster_type.typing_type
    return (get_origin(hint) or hint) in (Iterator, Iterable, Generator)


def _columns(name: str, metadata: Mapping[str, Any]) -> list[str] | None:
    if COLUMNS not in metadata:
        return None
    columns = _plain(metadata[COLUMNS])
    if isinstance(columns, Sequence) and not isinstance(columns, str) and columns:
        listed = list(cast("Sequence[object]", columns))
        if all(isinstance(column, str) for column in listed):
            return cast("list[str]", listed)
    raise ConfigError(f"input {name}: {COLUMNS}: expected a list of columns, found {columns!r}")


def _instant(name: str, value: object) -> datetime:
    """An instant: ``now``, or a time with its zone."""
    if value == "now":
        return datetime.now(timezone.utc)
    instant = value
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            instant = None
    if isinstance(instant, datetime) and instant.tzinfo is not None:
        return instant
    raise ConfigError(
        f"input {name}: {AS_OF}: expected an instant with its zone, such as"
        f" 2026-11-01T12:00:00Z, or now; found {str(value)!r}"
    )


def _plain(value: object) -> object:
    if isinstance(value, dg.TimestampMetadataValue):
        return datetime.fromtimestamp(value.value, timezone.utc)
    return cast("Any", value).value if isinstance(value, dg.MetadataValue) else value
