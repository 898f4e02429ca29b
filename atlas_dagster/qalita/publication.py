"""What is published of one sync, or one layer run, of a stream: pure, from counts and names.

No value of the data comes in here, and so none gets out: numbers, names of columns and entities,
and sentences that are made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from atlas_dagster.qalita.content import (
    SOURCE,
    Content,
    Json,
    Level,
    Perimeter,
    Scope,
    metric,
    recommendation,
    schema,
    scope,
)
from atlas_dagster.qalita.objects import JobStatus

DATASET = scope(Perimeter.DATASET, SOURCE)

_KINDS = {
    "bigint": "Numeric",
    "numeric": "Numeric",
    "integer": "Numeric",
    "double precision": "Numeric",
    "varchar": "Text",
    "text": "Text",
    "boolean": "Boolean",
    "date": "DateTime",
}
_TEMPORAL = ("time", "timestamp")
_SEEDS = ("records_emitted", "bytes_emitted", "records_committed", "duration_seconds")


@dataclass(frozen=True)
class PublishedColumn:
    """A column and its PostgreSQL type."""

    name: str
    type: str


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass; ``text`` says more, of names and numbers only."""

    name: str
    text: str = ""
    level: Level = Level.WARNING


@dataclass(frozen=True)
class PublishedLayer:
    """A table of a layer (landing is one here): counts by metric, columns, checks on it."""

    name: str
    counts: Mapping[str, float] = field(default_factory=dict[str, float])
    columns: tuple[PublishedColumn, ...] = ()
    passed: int = 0
    failed: tuple[FailedCheck, ...] = ()


@dataclass(frozen=True)
class PublishedPii:
    """How many values of a column hold an entity, over all days that were scanned.

    Where its name tells, those are all that it has.
    """

    column: str
    entity: str
    values: int


@dataclass(frozen=True)
class PublishedQuality:
    """A score from 0 to 100 and the dimensions that were checked; ``failed`` are the checks."""

    overall: float | None
    coverage: float
    is_graded: bool
    dimensions: Mapping[str, float] = field(default_factory=dict[str, float])
    failed: tuple[FailedCheck, ...] = ()


@dataclass(frozen=True)
class Publication:
    """What one job says of a stream.

    ``table`` is the stream's name in scopes; None: it is of the connection as a whole.
    ``owns_source``: QALITA's source is this stream's alone, so that what is of the source is of the
    stream. ``stream`` is its name in the form of QALITA's adapter; None: that is not sent.
    """

    table: str | None
    main_layer: str
    status: JobStatus
    seconds: float
    layers: Sequence[PublishedLayer] = ()
    pii: Sequence[PublishedPii] = ()
    quality: PublishedQuality | None = None
    freshness_hours: float | None = None
    owns_source: bool = False
    stream: str | None = None

    def table_scope(self, layer: str) -> Json:
        """The scope of the stream's table in a layer; of the source where there is none."""
        if self.table is None:
            return DATASET
        return scope(Perimeter.TABLE, _table(layer, self.table), DATASET)

    def column_scope(self, layer: str, column: str) -> Json:
        """The scope of a column: the platform finds its table before the first dot."""
        return scope(Perimeter.COLUMN, self.column_name(layer, column), DATASET)

    def column_name(self, layer: str, column: str) -> str:
        return f"{_table(layer, self.table or '')}.{column.replace('.', '_')}"


def build_content(what: Publication) -> Content:
    """Schemas, metrics and recommendations; no key and scope stands twice among the metrics."""
    metrics: dict[tuple[str, str], Json] = {}
    for item in chain(_metrics(what), _adapter_metrics(what)):
        metrics.setdefault((item["key"], repr(item["scope"])), item)
    return Content(
        schemas=[*_schemas(what), *_adapter_schemas(what)],
        metrics=list(metrics.values()),
        recommendations=list(_recommendations(what)),
    )


def _schemas(what: Publication) -> Iterator[Json]:
    if what.table is None or not what.layers:
        return
    yield schema(Perimeter.DATASET, SOURCE)
    for layer in what.layers:
        yield schema(Perimeter.TABLE, _table(layer.name, what.table), DATASET)
        for column in layer.columns:
            yield schema(Perimeter.COLUMN, what.column_name(layer.name, column.name), DATASET)


def _metrics(what: Publication) -> Iterator[Json]:
    for layer in what.layers:
        yield from _layer_metrics(what, layer)
    yield from _pii_metrics(what)
    main: list[tuple[str, object]] = [
        ("status", what.status.value),
        ("run_success", what.status is JobStatus.SUCCEEDED),
        ("duration_seconds", what.seconds),
    ]
    if what.freshness_hours is not None:
        main.append(("freshness_hours", what.freshness_hours))
    where = what.table_scope(what.main_layer)
    yield from _present(main, where)
    quality = list(_quality_values(what.quality)) if what.quality else []
    yield from _present(quality, what.table_scope("chart"))
    if what.owns_source:
        counts = [
            (name if layer.name == what.main_layer else f"{layer.name}_{name}", value)
            for layer in what.layers
            for name, value in layer.counts.items()
        ]
        yield from _present([*main, *quality, *counts], DATASET)


def _layer_metrics(what: Publication, layer: PublishedLayer) -> Iterator[Json]:
    values: list[tuple[str, object]] = list(layer.counts.items())
    if layer.passed or layer.failed:
        values += [("check_passed", layer.passed), ("check_failed", len(layer.failed))]
    if layer.columns:
        values += _drift_values(layer.columns)
    yield from _present(values, what.table_scope(layer.name))
    if layer.name in ("landing", "chart"):  # those of the others follow from these
        for column in layer.columns:
            where = what.column_scope(layer.name, column.name)
            yield from _present(
                [("column_type", _bare(column.type)), ("type", _kind(column.type))], where
            )


def _drift_values(columns: Sequence[PublishedColumn]) -> list[tuple[str, object]]:
    """The hashes by which QALITA's own packs tell that a schema has changed, and counts."""
    names = [column.name for column in columns]
    kinds = [_kind(column.type) for column in columns]
    typed = [f"{column.name}:{_bare(column.type)}" for column in columns]
    return [
        ("column_count", len(columns)),
        ("column_list_hash", _md5(sorted(names))),
        ("column_order_hash", _md5(names)),
        ("column_types_hash", _md5(sorted(typed))),
        ("types_numeric", kinds.count("Numeric")),
        ("types_text", kinds.count("Text")),
        ("types_temporal", kinds.count("DateTime")),
    ]


def _pii_metrics(what: Publication) -> Iterator[Json]:
    """In explore, which holds what the source sent."""
    for found in what.pii:
        where = what.column_scope("explore", found.column)
        yield from _present([(f"pii_{found.entity.lower()}", found.values)], where)
    if what.pii:
        columns = len({found.column for found in what.pii})
        values = sum(found.values for found in what.pii)
        where = what.table_scope("explore")
        yield from _present([("pii_columns", columns), ("pii_values", values)], where)


def _quality_values(quality: PublishedQuality) -> Iterator[tuple[str, object]]:
    """From 0 to 1, as the platform has them; what was not checked has none."""
    if quality.overall is not None and quality.is_graded:
        yield "score", quality.overall / 100
    yield "quality_coverage", quality.coverage
    for name, value in quality.dimensions.items():
        yield f"{name}_score", value / 100


def _recommendations(what: Publication) -> Iterator[Json]:
    told: set[tuple[str, str]] = set()
    for layer in what.layers:
        quality = what.quality.failed if what.quality and layer.name == "chart" else ()
        texts = {check.name for check in quality}
        for check in (*quality, *(c for c in layer.failed if c.name not in texts)):
            if (layer.name, check.name) in told:
                continue
            told.add((layer.name, check.name))
            text = f"The check {check.name} on {layer.name} did not pass"
            text += f": {check.text}" if check.text else "."
            yield recommendation(text, check.name, what.table_scope(layer.name), check.level)


def _adapter_schemas(what: Publication) -> Iterator[Json]:
    """As the adapter for Airbyte writes them: ``stream.column``."""
    for column in _landing_columns(what):
        where = {"stream": what.stream, "column": column.name}
        yield {"key": f"{what.stream}.{column.name}", "value": column.type, "scope": where}


def _adapter_metrics(what: Publication) -> Iterator[Json]:
    if what.stream is None:
        return
    landing = next((layer for layer in what.layers if layer.name == "landing"), None)
    if landing is None:
        return
    values: dict[str, object] = {**landing.counts, "duration_seconds": what.seconds}
    seeds = [(name, values[name]) for name in _SEEDS if name in values]
    yield from _present([*seeds, ("status", what.status.value)], {})


def _landing_columns(what: Publication) -> Sequence[PublishedColumn]:
    if what.stream is None:
        return ()
    return [c for layer in what.layers if layer.name == "landing" for c in layer.columns]


def _present(values: Sequence[tuple[str, object]], where: Scope) -> Iterator[Json]:
    for name, value in values:
        item = metric(name, value, where)
        if item is not None:
            yield item


def _table(layer: str, table: str) -> str:
    return f"{layer}_{table}"


def _bare(kind: str) -> str:
    """A type without its parameters: they are no drift."""
    return kind.split("(")[0].strip()


def _kind(kind: str) -> str:
    """What QALITA's profiling calls a type."""
    bare = _bare(kind)
    return "DateTime" if bare.startswith(_TEMPORAL) else _KINDS.get(bare, "Unsupported")


def _md5(names: Sequence[str]) -> str:
    """As QALITA's pack for schemas computes them."""
    return hashlib.md5(",".join(names).encode(), usedforsecurity=False).hexdigest()
