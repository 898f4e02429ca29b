"""What `pipeline` knows of streams that are published: names, personal data, quality, freshness.

Numbers and names only: no table of samples is read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from atlas_dagster.qalita.content import Level
from atlas_dagster.qalita.mapping import Subject
from atlas_dagster.qalita.publication import FailedCheck, PublishedPii, PublishedQuality
from atlas_dagster.warehouse import PgConnection

_DIMENSIONS = (
    *("completeness", "uniqueness", "timeliness"),
    *("validity", "accuracy", "consistency"),
)
_LEVELS = {"warn": Level.WARNING, "fail": Level.HIGH}


@dataclass(frozen=True)
class BuiltTable:
    """A table of the layers, the run that worked on it, and when that ended."""

    table: str
    run_id: str
    ended_at: datetime


@dataclass(frozen=True)
class Known:
    """By table; quality and hours since the last record by table and run."""

    pii: dict[str, list[PublishedPii]] = field(default_factory=dict[str, "list[PublishedPii]"])
    quality: dict[tuple[str, str], PublishedQuality] = field(
        default_factory=dict[tuple[str, str], PublishedQuality]
    )
    freshness_hours: dict[tuple[str, str], float] = field(
        default_factory=dict[tuple[str, str], float]
    )


def load_subjects(
    connection: PgConnection, streams: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Subject]:
    """Streams that have a table, by the slugs of connection and stream."""
    if not streams:
        return {}
    pairs = sorted(streams)
    rows = connection.execute(_SUBJECTS, ([c for c, _ in pairs], [s for _, s in pairs])).fetchall()
    return {(row[1], row[3]): Subject(*row) for row in rows}


def load_known(connection: PgConnection, built: Sequence[BuiltTable]) -> Known:
    """What is known of tables after the runs that built them: four queries for all of them."""
    if not built:
        return Known()
    tables = sorted({each.table for each in built})
    pii: dict[str, list[PublishedPii]] = {}
    for table, column, entity, values in connection.execute(_PII, (tables,)).fetchall():
        pii.setdefault(table, []).append(PublishedPii(column, entity, values))
    freshness = connection.execute(
        _FRESHNESS,
        (
            [each.table for each in built],
            [each.run_id for each in built],
            [each.ended_at for each in built],
        ),
    ).fetchall()
    return Known(
        pii,
        _load_quality(connection, tables, sorted({each.run_id for each in built})),
        {(table, run_id): float(hours) for table, run_id, hours in freshness},
    )


def _load_quality(
    connection: PgConnection, tables: Sequence[str], run_ids: Sequence[str]
) -> dict[tuple[str, str], PublishedQuality]:
    with connection.cursor(row_factory=dict_row) as cursor:
        scores = cursor.execute(_SCORES, (run_ids, tables)).fetchall()
        if not scores:
            return {}
        scans = [score["scan_id"] for score in scores]
        failed: dict[int, list[FailedCheck]] = {}
        for row in cursor.execute(_FAILED, (scans,)).fetchall():
            failed.setdefault(row["scan_id"], []).append(_failed_check(row))
    return {
        (score["table_name"], score["run_id"]): PublishedQuality(
            score["overall"],
            score["coverage"],
            score["is_graded"],
            {name: score[name] for name in _DIMENSIONS if score[name] is not None},
            tuple(failed.get(score["scan_id"], ())),
        )
        for score in scores
    }


def _failed_check(row: dict[str, Any]) -> FailedCheck:
    """A failed check in words of ours: its own message may hold a value."""
    parts = [f"{row['rule']} ({row['dimension']})"]
    if row["columns"]:
        parts.append("on " + ", ".join(row["columns"]))
    if row["failed"] is not None and row["tested"]:
        parts.append(f"fails for {row['failed']:,} of {row['tested']:,}")
    return FailedCheck(row["check_name"], " ".join(parts), _LEVELS[row["status"]])


_SUBJECTS = """
select stream.connection_id, stream.connection, coalesce(catalog.details ->> 'name',
    stream.connection), stream.stream, stream.name
from pipeline.stream
left join pipeline.catalog using (connection_id)
where (stream.connection, stream.stream) in (select * from unnest(%s::text[], %s::text[]))
"""

_PII = """
select table_name, path[1], entity,
    sum(case verdict when 'name' then greatest(rows, field_rows) else rows end)::bigint
from pipeline.pii_finding
where table_name = any(%s) and verdict is not null
group by table_name, path[1], entity
order by table_name, path[1], entity
"""

_FRESHNESS = """
select built.table_name, built.run_id,
    greatest(0, extract(epoch from built.ended_at - synced.last_extracted_at) / 3600)
from unnest(%s::text[], %s::text[], %s::timestamptz[]) as built (table_name, run_id, ended_at)
join pipeline.stream using (table_name)
join lateral (
    select last_extracted_at
    from pipeline.sync_stream
    where (sync_stream.connection_id, sync_stream.namespace, sync_stream.name)
        = (stream.connection_id, stream.namespace, stream.name)
        and last_extracted_at is not null
        and updated_at <= built.ended_at
    order by job_id desc
    limit 1
) as synced on true
"""

_SCORES = """
select distinct on (table_name, run_id) *
from pipeline.quality_score
where run_id = any(%s) and table_name = any(%s) and layer = 'chart' and has_ended
order by table_name, run_id, scan_id desc
"""

_FAILED = """
select scan_id, check_name, rule, dimension, columns, status, failed, tested
from pipeline.quality_result
where scan_id = any(%s) and status in ('warn', 'fail')
order by scan_id, check_name
"""
