"""The summary of a stream on its last asset, navigate: where all that a run found is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

import dagster as dg
from psycopg.rows import class_row

from atlas_dagster.catalog import Stream
from atlas_dagster.layers.navigate import NavigateResult
from atlas_dagster.layers.policy import StreamPolicy
from atlas_dagster.layers.stream_columns import SchemaChange, load_changes
from atlas_dagster.markdown import code, escaped, table
from atlas_dagster.pii.store import StoredVerdict
from atlas_dagster.pii_rules import field_name
from atlas_dagster.quality.score import shown_score
from atlas_dagster.warehouse import PgConnection

SHOWN = 10
"""So many checks, fields or changes are named each; the others are counted."""


@dataclass(frozen=True)
class LastSync:
    """The newest sync that brought the stream whole; Airbyte may not say how many records."""

    job_id: int
    ended_at: datetime | None
    records: int | None


@dataclass(frozen=True)
class Quality:
    """The scan of the run, else the newest one that ended; ``first_day`` is None of all of chart.

    ``broken`` holds name, status and message of the checks that warned, failed or had an error.
    """

    overall: float | None
    coverage: float
    first_day: date | None
    last_day: date | None
    checks: int
    passed: int
    broken: list[list[str]]


@dataclass(frozen=True)
class StreamNews:
    """What is known of a stream once its history is built; ``scanned``: for personal data."""

    label: str
    built: NavigateResult
    scanned: bool
    verdicts: Sequence[StoredVerdict]
    policy: StreamPolicy
    sync: LastSync | None
    quality: Quality | None
    changes: Sequence[SchemaChange]


def load_news(
    connection: PgConnection,
    stream: Stream,
    built: NavigateResult,
    verdicts: Sequence[StoredVerdict],
    policy: StreamPolicy,
    run_id: str,
) -> StreamNews:
    """What else there is to know: four queries of a stream's rows in pipeline."""
    with connection.cursor(row_factory=class_row(LastSync)) as cursor:
        sync = cursor.execute(
            _LAST_SYNC, (stream.connection_id, stream.namespace or "", stream.name)
        ).fetchone()
    with connection.cursor(row_factory=class_row(Quality)) as cursor:
        quality = cursor.execute(
            _QUALITY, {"table_name": stream.table_name, "run_id": run_id}
        ).fetchone()
    changes = load_changes(connection, stream, run_id)
    scanned = connection.execute(_SCANNED, (stream.table_name,)).fetchone() == (True,)
    return StreamNews(stream.label, built, scanned, verdicts, policy, sync, quality, changes)


def summary(news: StreamNews) -> dict[str, Any]:
    """A page to read, as metadata."""
    return {"atlas/summary": dg.MetadataValue.md("\n".join(_lines(news)))}


def news_numbers(news: StreamNews) -> dict[str, Any]:
    """The numbers of the summary as metadata, which Dagster plots; none that is not known."""
    keys, score = news.built.keys, news.quality and news.quality.overall
    changes = (
        {
            "atlas/new_keys": keys.new,
            "atlas/changed_keys": keys.changed,
            "atlas/deleted_keys": keys.deleted,
        }
        if keys
        else {}
    )
    return {
        **changes,
        **({} if score is None else {"atlas/quality_score": math.floor(score * 100) / 100}),
        **({"atlas/pii_fields": len(_fields(news.verdicts))} if news.scanned else {}),
    }


def _lines(news: StreamNews) -> Iterator[str]:
    count = news.built.count
    yield f"**{news.label}** has {count.current or 0:,} current records, {count.rows:,} segments."
    yield ""
    yield f"- Since the build before: {_keys(news.built)}"
    yield f"- Last sync: {_sync(news.sync)}"
    yield from _quality(news.quality)
    yield from _schema(news.changes)
    yield from _personal(news)


def _keys(built: NavigateResult) -> str:
    if built.keys is None:
        return f"all was built anew: {escaped(built.rebuilt or '')}"
    return f"{built.keys.new:,} new, {built.keys.changed:,} changed, {built.keys.deleted:,} deleted"


def _sync(sync: LastSync | None) -> str:
    if sync is None:
        return "none that Atlas knows of"
    brought = "" if sync.records is None else f" brought {sync.records:,} records"
    at = f", {sync.ended_at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if sync.ended_at else ""
    return f"job {sync.job_id}{brought}{at}"


def _quality(quality: Quality | None) -> Iterator[str]:
    if quality is None:
        yield "- Quality: not checked"
        return
    score = "no score" if quality.overall is None else f"{shown_score(quality.overall)} of 100"
    yield (
        f"- Quality of {_days(quality)}: {score}, coverage {quality.coverage:.2f};"
        f" {quality.passed:,} of {quality.checks:,} checks passed"
    )
    for name, status, message in quality.broken[:SHOWN]:
        yield f"    - {status}: {code(name)}: {escaped(message)}"
    yield from _more(len(quality.broken))


def _days(quality: Quality) -> str:
    if quality.first_day is None:
        return "the whole table"
    if quality.first_day == quality.last_day:
        return str(quality.first_day)
    return f"{quality.first_day} to {quality.last_day}"


def _schema(changes: Sequence[SchemaChange]) -> Iterator[str]:
    if not changes:
        yield "- Schema: as before"
        return
    yield "- Schema changed:"
    for change in changes[:SHOWN]:
        yield f"    - {code(change.name)} {escaped(change.told)}"
    yield from _more(len(changes))


def _more(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"    - and {count - SHOWN:,} more"


def _personal(news: StreamNews) -> Iterator[str]:
    fields = _fields(news.verdicts)
    if not fields:
        yield f"- Personal data: {'none was found' if news.scanned else 'never looked for'}"
        return
    yield f"- Personal data in {len(fields):,} fields:"
    yield ""
    shown = list(fields.items())[:SHOWN]
    yield table(
        ("field", "holds", "policy"),
        [
            (code(field_name(path)), ", ".join(held), news.policy.action(path).value)
            for path, held in shown
        ],
    )
    if len(fields) > SHOWN:
        yield f"\nand {len(fields) - SHOWN:,} more: the asset pii has them all"


def _fields(verdicts: Sequence[StoredVerdict]) -> Mapping[tuple[str, ...], list[str]]:
    """The entities of each field."""
    fields: dict[tuple[str, ...], list[str]] = {}
    for verdict in verdicts:
        fields.setdefault(verdict.path, []).append(verdict.entity)
    return fields


_SCANNED = "select exists (select from pipeline.pii_scan where table_name = %s)"

_LAST_SYNC = """
    select
        sync.job_id,
        sync.ended_at,
        case when synced.counted then synced.records_committed end as records
    from pipeline.sync_stream synced
    join pipeline.sync using (connection_id, job_id)
    where synced.connection_id = %s
        and synced.namespace = %s
        and synced.name = %s
        and synced.status = 'complete'
    order by synced.job_id desc
    limit 1
"""

_QUALITY = """
    select
        overall,
        coverage,
        first_day,
        last_day,
        count(result.check_name) as checks,
        count(*) filter (where result.status = 'pass') as passed,
        coalesce(
            array_agg(array[check_name, result.status, message] order by check_name)
                filter (where result.status in ('warn', 'fail', 'error')),
            '{}'
        ) as broken
    from (
        select *
        from pipeline.quality_score
        where table_name = %(table_name)s
            and layer = 'chart'
            and has_ended
        order by run_id = %(run_id)s desc, scan_id desc
        limit 1
    ) as scan
    join pipeline.quality_result result using (scan_id)
    group by scan_id, overall, coverage, first_day, last_day
"""
