"""From what runs did to streams to what is published of it: one delivery a sync or layer run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from atlas_dagster.assets.asset_work import SYNCED, Evaluation, Metadata, Part
from atlas_dagster.assets.stream_work import RunStatus, StreamWork
from atlas_dagster.names import layer_table
from atlas_dagster.plain_text import without_values
from atlas_dagster.qalita.content import Level
from atlas_dagster.qalita.deliveries import LONGEST_KEY, Delivery
from atlas_dagster.qalita.known import BuiltTable, Known, load_known, load_subjects
from atlas_dagster.qalita.mapping import QalitaMapping, Subject, Subjects
from atlas_dagster.qalita.objects import JobStatus
from atlas_dagster.qalita.protocol import Report
from atlas_dagster.qalita.publication import (
    FailedCheck,
    Publication,
    PublishedColumn,
    PublishedLayer,
    build_content,
)
from atlas_dagster.warehouse import PgConnection

_LANDING, _EXPLORE, _DEEPEST = "landing", "explore", ("navigate", "chart", "explore")
_LAYER_NAMES = {SYNCED: _LANDING, "pii": _EXPLORE}  # pii inspects explore
_COUNTS = {
    "atlas/records_emitted": "records_emitted",
    "atlas/bytes_emitted": "bytes_emitted",
    "atlas/records_committed": "records_committed",
    "atlas/bytes_committed": "bytes_committed",
    "atlas/attempts": "attempts",
    "dagster/row_count": "row_count",
    "dagster/partition_row_count": "partition_row_count",
    "atlas/new_rows": "new_rows",
    "atlas/invalid_rows": "invalid_rows",
    "atlas/schema_changes": "schema_changes",
    "atlas/current_rows": "current_rows",
    "atlas/segments_opened": "segments_opened",
    "atlas/segments_closed": "segments_closed",
    "atlas/segments_reopened": "segments_reopened",
    "atlas/segments_removed": "segments_removed",
    "atlas/records_scanned": "pii_records_scanned",
}
_TECHNICAL = ("_airbyte_", "_atlas_")
_DATA = "data."
# Descriptions of these are made of names and numbers; those of others may hold values.
_TELLING = {"schema_drift": Level.INFO, "no_unexpected_pii": None, "snapshots": None}


@dataclass(frozen=True)
class Work:
    """Work on a stream, how its run ended and when; ``origin`` names it once and for all."""

    work: StreamWork
    status: RunStatus
    ended_at: float
    run_id: str
    origin: str
    failure: str = ""

    @property
    def key(self) -> str:
        """What makes two deliveries one: the name of the job at QALITA."""
        name = "/".join(filter(None, (self.work.connection, self.work.stream)))
        tail = f" {self.work.part.value} {self.origin}"
        room = LONGEST_KEY - len(tail)
        if len(name) > room:
            name = f"{name[: room - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        return name + tail

    @property
    def started(self) -> datetime:
        at = self.work.started_at
        return _instant(self.ended if at is None else min(at, self.ended))

    @property
    def ended(self) -> float:
        return self.ended_at if self.work.ended_at is None else self.work.ended_at


def job_status(work: StreamWork, status: RunStatus) -> JobStatus | None:
    """How a job stands at QALITA; None: there is nothing to tell.

    Streams of one sync stand each for itself: those that are whole have succeeded.
    """
    if work.part is Part.SYNC and work.built:
        return JobStatus.SUCCEEDED
    if work.failed:
        return JobStatus.FAILED
    if work.is_whole:
        return JobStatus.SUCCEEDED
    if status is RunStatus.CANCELLED:
        return JobStatus.KILLED
    if status is RunStatus.FAILED:
        return JobStatus.FAILED
    return JobStatus.SUCCEEDED if work.built or work.checks else None


def told_works(works: Sequence[StreamWork]) -> Iterator[StreamWork]:
    """The works of a run; layers that never started, since their sync failed, are none."""
    synced = {(work.connection, work.stream) for work in works if work.part is Part.SYNC}
    for work in works:
        never_started = work.part is Part.LAYERS and work.started_at is None
        if not (never_started and (work.connection, work.stream) in synced):
            yield work


def build_deliveries(
    connection: PgConnection, works: Sequence[Work], subjects: Subjects, mapping: QalitaMapping
) -> list[Delivery]:
    """The deliveries of some works, with what the warehouse knows of their streams."""
    named = _subjects(connection, works, subjects)
    known = load_known(connection, [_table(work) for work in works if _has_layers(work)])
    return [
        delivery
        for work in works
        if (delivery := _delivery(work, named[work.key], known, mapping)) is not None
    ]


def _delivery(
    work: Work, subject: Subject, known: Known, mapping: QalitaMapping
) -> Delivery | None:
    status = job_status(work.work, work.status)
    if status is None:
        return None
    report = Report(
        status=status,
        started_at=work.started,
        ended_at=_instant(work.ended),
        error_message=None if status is JobStatus.SUCCEEDED else _message(work),
        content=build_content(_publication(work, status, subject, known, mapping)),
        part=work.work.part.value,
    )
    return Delivery(work.key, subject, report)


def _publication(
    work: Work, status: JobStatus, subject: Subject, known: Known, mapping: QalitaMapping
) -> Publication:
    done = work.work
    table = layer_table(done.connection, done.stream) if done.stream else None
    layers = _layers(done)
    is_sync = done.part is Part.SYNC
    main = _LANDING
    if not is_sync:
        reached = {layer.name for layer in layers}
        main = next((name for name in _DEEPEST if name in reached), "navigate")
    place = (table or "", work.run_id)
    return Publication(
        table=table,
        main_layer=main,
        status=status,
        seconds=_seconds(work),
        layers=layers,
        pii=known.pii.get(table or "", ()) if "pii" in done.built else (),
        quality=None if is_sync else known.quality.get(place),
        freshness_hours=None if is_sync else known.freshness_hours.get(place),
        owns_source=mapping.is_own(subject),
        stream=(subject.stream_name or subject.stream) if mapping.sends_adapter_form else None,
    )


def _layers(work: StreamWork) -> list[PublishedLayer]:
    """The tables that were written or checked, in their order."""
    names = dict.fromkeys(
        _LAYER_NAMES.get(layer, layer) for layer in (*work.built, *(c.layer for c in work.checks))
    )
    return [_layer(name, work) for name in names]


def _layer(name: str, work: StreamWork) -> PublishedLayer:
    own = [layer for layer in work.built if _LAYER_NAMES.get(layer, layer) == name]
    checks = [c for c in work.checks if _LAYER_NAMES.get(c.layer, c.layer) == name]
    return PublishedLayer(
        name,
        counts={
            metric: value.value
            for layer in own
            for key, metric in _COUNTS.items()
            if isinstance(value := work.built[layer].get(key), _NUMBERS) and value.value is not None
        },
        columns=tuple(column for layer in own for column in _columns(layer, work.built[layer])),
        passed=sum(check.passed for check in checks),
        failed=tuple(_failed(check) for check in checks if not check.passed),
    )


_NUMBERS = (dg.IntMetadataValue, dg.FloatMetadataValue)


def _columns(layer: str, metadata: Metadata) -> Iterator[PublishedColumn]:
    """The columns that hold the source's data; of explore they are within ``data``."""
    value = metadata.get("dagster/column_schema")
    if not isinstance(value, dg.TableSchemaMetadataValue):
        return
    for column in value.schema.columns:
        if layer == _EXPLORE and column.name.startswith(_DATA):
            yield PublishedColumn(column.name.removeprefix(_DATA), column.type)
        elif layer != _EXPLORE and not column.name.startswith(_TECHNICAL):
            yield PublishedColumn(column.name, column.type)


def _failed(check: Evaluation) -> FailedCheck:
    level = _TELLING.get(check.name) or (Level.HIGH if check.is_error else Level.WARNING)
    return FailedCheck(check.name, check.description if check.name in _TELLING else "", level)


def _seconds(work: Work) -> float:
    """How long it took, by Airbyte where that tells."""
    for metadata in work.work.built.values():
        told = metadata.get("atlas/duration_seconds")
        if isinstance(told, _NUMBERS) and told.value is not None:
            return float(told.value)
    return round(work.ended - work.started.timestamp(), 3)


def _message(work: Work) -> str:
    """Why it did not succeed, without values; Dagster has the whole."""
    reason = without_values(work.work.failure or work.failure)
    where = f"run {work.run_id} of Dagster" if work.run_id else "Airbyte"
    return f"{reason} ({where})" if reason else f"see {where}"


def _has_layers(work: Work) -> bool:
    return work.work.part is Part.LAYERS and work.work.stream is not None


def _table(work: Work) -> BuiltTable:
    table = layer_table(work.work.connection, work.work.stream or "")
    return BuiltTable(table, work.run_id, _instant(work.ended))


def _subjects(
    connection: PgConnection, works: Sequence[Work], subjects: Subjects
) -> dict[str, Subject]:
    """The subject of each work by its key: as defined, as registered, or as its asset says."""
    unknown = {
        (work.work.connection, work.work.stream)
        for work in works
        if work.work.stream and (work.work.connection, work.work.stream) not in subjects
    }
    stored = load_subjects(connection, unknown)
    return {
        work.key: subjects.get((work.work.connection, work.work.stream))
        or stored.get((work.work.connection, work.work.stream or ""))
        or _told_subject(work.work)
        for work in works
    }


def _told_subject(work: StreamWork) -> Subject:
    metadata = next(iter(work.built.values()), work.told)
    connection_id = _text(metadata.get("atlas/connection_id")) or work.connection
    name = _text(metadata.get("atlas/stream_name")) or work.stream
    return Subject(connection_id, work.connection, connection_id, work.stream, name)


def _text(value: dg.MetadataValue[Any] | None) -> str | None:
    return value.value if isinstance(value, dg.TextMetadataValue) else None


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, timezone.utc)
