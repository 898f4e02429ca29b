"""Datasets as lineage tells of them: their names, their columns, and where those come from.

What a run recorded is told. Only what no run records comes from the catalog: the source of a sync,
and the names of tables before they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from atlas_dagster.assets.asset_work import SYNCED, Metadata, Place, place_of
from atlas_dagster.assets.layer_assets import layer_description
from atlas_dagster.assets.lineage import without_origins
from atlas_dagster.catalog import Stream
from atlas_dagster.lineage.model import Dataset, DatasetName, Engine, Field, Origin, Relation
from atlas_dagster.lineage.naming import stream_dataset
from atlas_dagster.names import AIRBYTE_COLUMNS, layer_table
from atlas_dagster.pii_rules import Action

UPSTREAM = {"explore": SYNCED, "pii": "explore", "chart": "explore", "navigate": "chart"}

_WRITTEN = {
    SYNCED: "atlas/records_committed",
    "explore": "atlas/new_rows",
    "chart": "atlas/new_rows",
    "navigate": "atlas/segments_opened",
}
_HASHES = ("_atlas_row_hash", "_atlas_surrogate_key")
_CONDITIONS = ("_atlas_closed_by", "_atlas_deleted", "_atlas_is_current")
_KEEPING = ("text", "jsonb", "varchar")
_MASKING = {action.value for action in Action} - {Action.KEEP.value}


@dataclass(frozen=True)
class KnownStream:
    """A stream of the definitions; ``source`` is the namespace of what its connector reads.

    ``destination`` is the namespace of what it lands in, None: it lands in the warehouse.
    """

    stream: Stream
    source: str
    destination: str | None = None
    owners: tuple[str, ...] = ()


Streams = Mapping[tuple[str, str | None], KnownStream]
"""The streams of the definitions, by the slugs of connection and stream."""


@dataclass(frozen=True)
class Surroundings:
    """What events are told within: namespaces, the warehouse's database, versions, streams."""

    namespace: str
    warehouse: str
    database: str
    engine: Engine
    streams: Streams

    def known(self, place: Place) -> KnownStream | None:
        return self.streams.get((place.connection, place.stream))

    def owners(self, place: Place) -> tuple[str, ...]:
        known = self.known(place)
        return known.owners if known else ()


def label(place: Place) -> str:
    """A stream, or a connection as a whole, as people call it."""
    return "/".join(filter(None, (place.connection, place.stream)))


def describe(layer: str, place: Place) -> str:
    """What a layer holds; of the sync, what it brings."""
    if layer == SYNCED:
        return f"{label(place)} as Airbyte landed it."
    return layer_description(layer, label(place))


def source_of(place: Place, around: Surroundings) -> Dataset | None:
    """What a sync reads; None where the definitions do not know the stream."""
    known = around.known(place)
    if known is None:
        return None
    stream = known.stream
    return Dataset(
        stream_dataset(known.source, place.connection, stream.namespace, stream.name),
        description=f"{stream.name} at the source of {place.connection}.",
        fields=tuple(Field(column.name, None, column.description) for column in stream.columns),
    )


def read_by(layer: str, place: Place, around: Surroundings) -> Dataset | None:
    """What the build of a layer reads; None where it is not known."""
    if layer == SYNCED:
        return source_of(place, around)
    name = table_of(UPSTREAM[layer], place, around)
    return Dataset(name) if name else None


def table_of(
    layer: str, place: Place, around: Surroundings, metadata: Metadata | None = None
) -> DatasetName | None:
    """The table of a layer: as recorded, else as the catalog has it; pii inspects explore's."""
    told = (metadata or {}).get("dagster/table_name")
    if isinstance(told, dg.TextMetadataValue) and told.value:
        return DatasetName(around.warehouse, told.value)
    if layer == SYNCED:
        return _landing(place, around)
    if place.stream is None:
        return None
    schema = "explore" if layer == "pii" else layer
    table = layer_table(place.connection, place.stream)
    return DatasetName(around.warehouse, f"{around.database}.{schema}.{table}")


def _landing(place: Place, around: Surroundings) -> DatasetName | None:
    known = around.known(place)
    if known is None:
        return None
    stream = known.stream
    if known.destination:
        return stream_dataset(known.destination, place.connection, stream.namespace, stream.name)
    return DatasetName(around.warehouse, f"{around.database}.{stream.landing_table}")


def written_by(
    layer: str, place: Place, around: Surroundings, metadata: Metadata | None
) -> Dataset | None:
    """What the build of a layer writes, with what it recorded; None where that is no table."""
    name = None if layer == "pii" else table_of(layer, place, around, metadata)
    if name is None:
        return None
    dataset = Dataset(name, describe(layer, place), around.owners(place))
    if metadata is None:
        return dataset
    fields = tuple(_fields(metadata))
    if layer == SYNCED:
        known = around.known(place)
        typed = () if known and known.stream.raw_only else fields
        fields = (*typed, *_airbyte_fields(place, around))
    return replace(
        dataset,
        fields=fields,
        lineage=_landed(place, around) if layer == SYNCED else _lineage(metadata, fields, around),
        rows=number(metadata, "dagster/row_count"),
        written=number(metadata, _WRITTEN[layer]),
        size=number(metadata, "atlas/bytes_committed") if layer == SYNCED else None,
    )


def number(metadata: Metadata, name: str) -> int | None:
    """A whole number of a materialization or an evaluation."""
    value = metadata.get(name)
    if isinstance(value, (dg.IntMetadataValue, dg.FloatMetadataValue)) and value.value is not None:
        return int(value.value)
    return None


def _fields(metadata: Metadata) -> Iterator[Field]:
    value = metadata.get("dagster/column_schema")
    if isinstance(value, dg.TableSchemaMetadataValue):
        for column in value.schema.columns:
            said = without_origins(column.description)
            yield Field(column.name, column.type, said, dict(column.tags or {}))


def _airbyte_fields(place: Place, around: Surroundings) -> Iterator[Field]:
    """The columns that Airbyte adds in landing: no sync records them, and explore reads them."""
    known = around.known(place)
    if known and known.destination is None:
        for name in (*AIRBYTE_COLUMNS, *(("_airbyte_data",) if known.stream.raw_only else ())):
            yield Field(name)


def _landed(place: Place, around: Surroundings) -> dict[str, tuple[Origin, ...]]:
    """Each column of landing is a property of the source."""
    known, source = around.known(place), source_of(place, around)
    if known is None or source is None or known.stream.raw_only:
        return {}
    return {
        column.landing: (Origin(source.name, column.name, Relation.IDENTITY),)
        for column in known.stream.columns
    }


def _lineage(
    metadata: Metadata, fields: tuple[Field, ...], around: Surroundings
) -> dict[str, tuple[Origin, ...]]:
    value = metadata.get("dagster/column_lineage")
    if not isinstance(value, dg.TableColumnLineageMetadataValue):
        return {}
    deps = value.column_lineage.deps_by_column
    columns = {field.name: field for field in fields}
    masked = {
        dep.column_name
        for field in fields
        if field.tags.get("pii_policy") in _MASKING
        for dep in deps.get(field.name, ())
        if dep.asset_key.path[0] == "explore"  # chart's: navigate has what chart left of it
    }
    return {
        name: tuple(_origins(columns.get(name, Field(name)), found, masked, around))
        for name, found in deps.items()
    }


def _origins(field: Field, deps: Any, masked: set[str], around: Surroundings) -> Iterator[Origin]:
    for dep in deps:
        known = place_of(dep.asset_key)
        name = table_of(*known, around) if known else None
        if known is None or name is None:
            continue
        origin = str(dep.column_name)
        masks = origin in masked or (field.name in _HASHES and origin != field.name)
        relation = Relation.TRANSFORMATION if masks else _relation(field, origin, known[0])
        yield Origin(name, origin, relation, masks)


def _relation(field: Field, origin: str, upstream: str) -> Relation:
    """A column that has its origin's name holds its values, unless it is typed anew."""
    if field.name in _CONDITIONS and origin != field.name:
        return Relation.CONDITIONAL
    if upstream == SYNCED:  # explore has properties under `data`, as they landed
        keeps = field.name.startswith("data.") and origin != "_airbyte_data"
    else:
        keeps = f"data.{field.name}" == origin and field.type in _KEEPING
    return Relation.IDENTITY if keeps or field.name == origin else Relation.TRANSFORMATION
