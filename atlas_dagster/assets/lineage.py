"""The columns of each layer's table: what they are, and which columns upstream they come from.

Open-source Dagster stores column lineage and shows none of it: descriptions say it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from atlas_dagster.assets.layer_assets import layer_key
from atlas_dagster.catalog import Column, ColumnType, Stream
from atlas_dagster.layers.history_rules import HistoryRules

MOST_ORIGINS = 5
"""So many origins does a description name; it counts the others."""


@dataclass(frozen=True)
class LayerColumn:
    """A column of a layer; ``origins`` are the columns upstream that decide its values.

    ``tags`` say which personal data it holds, and what is done to it.
    """

    name: str
    type: str
    description: str | None = None
    origins: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def explore_metadata(stream: Stream) -> dict[str, Any]:
    """The schema of explore, one entry a property of ``data`` included, and its lineage."""
    return _metadata(explore_columns(stream), layer_key("airbyte", stream))


def chart_metadata(
    stream: Stream, history: HistoryRules, tags: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """The schema and the lineage of chart; ``tags`` of its columns are by property."""
    columns = _tagged(stream, chart_columns(stream, history), tags)
    return _metadata(columns, layer_key("explore", stream))


def navigate_metadata(stream: Stream, tags: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The schema and the lineage of navigate; ``tags`` of its columns are by property."""
    columns = _tagged(stream, navigate_columns(stream), tags)
    return _metadata(columns, layer_key("chart", stream))


def _tagged(
    stream: Stream, columns: Sequence[LayerColumn], tags: Mapping[str, Mapping[str, str]]
) -> list[LayerColumn]:
    by_layer = {column.layer: tags.get(column.name, {}) for column in stream.columns}
    return [replace(column, tags=by_layer.get(column.name, {})) for column in columns]


def explore_columns(stream: Stream) -> list[LayerColumn]:
    """The columns of explore, and behind them the properties that ``data`` holds."""
    fields = tuple(_landing_column(stream, column) for column in stream.columns)
    extracted = ("_airbyte_extracted_at",)
    return [
        _same("_airbyte_raw_id", "text", "identifies the record version"),
        _same("_airbyte_extracted_at", _INSTANT, "when Airbyte read it"),
        _same("_airbyte_generation_id", "bigint", "counts the refreshes of the stream"),
        _same("_airbyte_meta", "jsonb", "what Airbyte says of the record"),
        LayerColumn("_atlas_sync_id", "bigint", "the Airbyte job of its sync", ("_airbyte_meta",)),
        LayerColumn("_atlas_loaded_at", _INSTANT, "when it came into explore"),
        _RUN,
        LayerColumn("_atlas_partition", "date", "its partition, a UTC day", extracted),
        LayerColumn("data", "jsonb", "the record as extracted", tuple(dict.fromkeys(fields))),
        *(
            LayerColumn(_property(column), "jsonb", column.description, (field,))
            for column, field in zip(stream.columns, fields, strict=True)
        ),
    ]


def chart_columns(stream: Stream, history: HistoryRules) -> list[LayerColumn]:
    """The columns of chart, in order."""
    compared = _properties(column for column in stream.columns if history.compares(column))
    checked = _properties(column for column in stream.columns if column.type not in _TAKES_ANY)
    heads = {path[0] for path in history.key}
    key = _properties(c for c in stream.columns if c.name in heads or not history.key)
    times = (*_properties([history.time] if history.time else []), "_airbyte_extracted_at")
    return [
        *(
            LayerColumn(column.layer, column.type.value, column.description, (_property(column),))
            for column in stream.columns
        ),
        _same("_airbyte_raw_id", "text", "identifies the record version"),
        _same("_airbyte_extracted_at", _INSTANT, "when Airbyte read it"),
        _same("_atlas_sync_id", "bigint", "the Airbyte job of its sync"),
        LayerColumn("_atlas_natural_key", "text", "identifies the record", key),
        LayerColumn(
            "_atlas_instant", _INSTANT, "the instant it tells of; a full refresh has one", times
        ),
        LayerColumn(
            "_atlas_sequence",
            "numeric",
            "orders the versions of one instant",
            _properties([history.sequence] if history.sequence else []),
        ),
        LayerColumn(
            "_atlas_deleted",
            "boolean",
            "whether it is a deletion",
            _properties([history.deleted] if history.deleted else []),
        ),
        LayerColumn("_atlas_valid", "boolean", "whether it has a key and every value fits"),
        LayerColumn("_atlas_errors", "jsonb", "the values that did not fit, by column", checked),
        LayerColumn("_atlas_row_hash", "bigint", "hash of the columns that are compared", compared),
        LayerColumn("_atlas_pii_checked", "boolean", "whether PII was looked for"),
        LayerColumn("_atlas_quality_score", "real", "the score of its quality checks"),
        LayerColumn("_atlas_validated_at", _INSTANT, "when its quality was checked"),
        _same("_atlas_partition", "date", "its partition, a UTC day"),
        _RUN,
    ]


def navigate_columns(stream: Stream) -> list[LayerColumn]:
    """The columns of navigate, in order."""
    instant, key = "_atlas_instant", "_atlas_natural_key"
    return [
        *(_same(column.layer, column.type.value, column.description) for column in stream.columns),
        LayerColumn("_atlas_surrogate_key", "uuid", "identifies the segment", (key, instant)),
        _same(key, "text", "identifies the record"),
        LayerColumn("_atlas_valid_from", _INSTANT, "valid from then on", (instant,)),
        LayerColumn(
            "_atlas_valid_to", _INSTANT, "valid until then; null while current", (instant,)
        ),
        LayerColumn("_atlas_is_current", "boolean", "whether it is valid now", (instant,)),
        LayerColumn(
            "_atlas_closed_by",
            "text",
            "what ended it: update or delete",
            ("_atlas_deleted", "_atlas_row_hash"),
        ),
        _same("_atlas_row_hash", "bigint", "hash of the columns that are compared"),
        _same("_airbyte_raw_id", "text", "the record version that opened it"),
        _RUN,
    ]


def _metadata(columns: Sequence[LayerColumn], upstream: dg.AssetKey) -> dict[str, Any]:
    lineage = {
        column.name: [dg.TableColumnDep(upstream, origin) for origin in column.origins]
        for column in columns
        if column.origins
    }
    return {
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(c.name, c.type, _described(c, upstream), tags=c.tags) for c in columns]
        ),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
    }


def without_origins(description: str | None) -> str | None:
    """What a description says beside the origins of its column."""
    if description is None:
        return None
    said, mark, _ = f"\n\n{description}".rpartition("\n\nFrom `")
    return (said if mark else description).strip() or None


def _described(column: LayerColumn, upstream: dg.AssetKey) -> str | None:
    """What a column is and where it comes from, in Markdown, which is what the UI shows."""
    if not column.origins:
        return column.description
    named = ", ".join(map(_code, column.origins[:MOST_ORIGINS]))
    left = len(column.origins) - MOST_ORIGINS
    more = f" and {left} more" if left > 0 else ""
    origin = f"From {named}{more} of {_code(upstream.to_user_string())}."
    return f"{column.description}\n\n{origin}" if column.description else origin


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _same(name: str, kind: str, description: str | None) -> LayerColumn:
    """A column that is taken over as it is."""
    return LayerColumn(name, kind, description, (name,))


def _landing_column(stream: Stream, column: Column) -> str:
    """Where a property lies in landing; raw tables hold all of them in one column."""
    return "_airbyte_data" if stream.raw_only else column.landing


def _property(column: Column) -> str:
    return f"data.{column.name}"


def _properties(columns: Iterable[Column]) -> tuple[str, ...]:
    return tuple(map(_property, columns))


_INSTANT = ColumnType.TIMESTAMPTZ.value
_RUN = LayerColumn("_atlas_run_id", "text", "the Dagster run that wrote it")
_TAKES_ANY = (ColumnType.TEXT, ColumnType.JSONB)
