"""What scans found, in ``pipeline.pii_scan`` and ``pipeline.pii_finding``, a day at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from atlas_dagster.pii.findings import FieldFindings
from atlas_dagster.pii.verdict import Verdict
from atlas_dagster.pii_rules import field_name
from atlas_dagster.warehouse import PgConnection


@dataclass(frozen=True)
class UnscannedDay:
    """A day of explore that holds what no scan of these recognizers has seen."""

    day: date
    rows: int


@dataclass(frozen=True)
class FieldScan:
    """A field of a day: what was found in it, and what that means."""

    findings: FieldFindings
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class StoredVerdict:
    """Personal data in a field, over all days that were scanned.

    ``rows`` of ``field_rows`` values hold it; ``kind`` and ``evidence`` are those of the day that
    was surest.
    """

    path: tuple[str, ...]
    entity: str
    kind: str
    rows: int
    field_rows: int
    mean_score: float
    confidence: float
    evidence: tuple[str, ...]
    first_day: date
    last_day: date

    @property
    def share(self) -> float:
        """The share of the field's values that hold it."""
        return self.rows / self.field_rows if self.field_rows else 0.0


@dataclass(frozen=True)
class StoredFailure:
    """Values of a field of which a recognizer says nothing, because it raised an error on them.

    ``error`` is its kind; ``rows`` are over all days that were scanned.
    """

    path: tuple[str, ...]
    recognizer: str
    error: str
    rows: int
    first_day: date
    last_day: date

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{field_name(self.path)}: {self.recognizer} raised {self.error} in {rows}"


def unscanned_days(
    connection: PgConnection, table_name: str, days: tuple[date, date], recognizers: str
) -> list[UnscannedDay]:
    """The days of a range whose record versions are not scanned, or by other recognizers."""
    parameters = {
        "table_name": table_name,
        "first": days[0],
        "last": days[1],
        "recognizers": recognizers,
    }
    with connection.cursor(row_factory=class_row(UnscannedDay)) as cursor:
        return cursor.execute(_unscanned(table_name), parameters).fetchall()


def _unscanned(table_name: str) -> sql.Composed:
    return sql.SQL(
        """
        select explored.day, explored.rows
        from (
            select _atlas_partition as day, count(*) as rows
            from {explore}
            where _atlas_partition between %(first)s and %(last)s
            group by 1
        ) as explored
        left join pipeline.pii_scan as scan
            on scan.table_name = %(table_name)s and scan.day = explored.day
        where (scan.rows, scan.recognizers) is distinct from (explored.rows, %(recognizers)s)
        order by explored.day
        """
    ).format(explore=sql.Identifier("explore", table_name))


def save_scan(
    connection: PgConnection,
    table_name: str,
    scanned: UnscannedDay,
    fields: Sequence[FieldScan],
    *,
    recognizers: str,
    result: dict[str, Any],
    run_id: str,
) -> None:
    """Replace what is known of a day, in one transaction."""
    told = {**result, "failures": list(_failure_rows(fields))}
    with connection.transaction():
        connection.execute(
            "delete from pipeline.pii_scan where table_name = %s and day = %s",
            (table_name, scanned.day),
        )
        connection.execute(
            "insert into pipeline.pii_scan (table_name, day, recognizers, rows, result, run_id)"
            " values (%s, %s, %s, %s, %s, %s)",
            (table_name, scanned.day, recognizers, scanned.rows, Jsonb(told), run_id),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                _SAVE_FINDING,
                [
                    {"table_name": table_name, "day": scanned.day, **row}
                    for field in fields
                    for row in _finding_rows(field)
                ],
            )


def _finding_rows(field: FieldScan) -> Iterable[dict[str, Any]]:
    """A row for each entity that was found or told, by its name."""
    verdicts = {verdict.entity: verdict for verdict in field.verdicts}
    found = {seen.entity: seen for seen in field.findings.entities}
    for entity in sorted(verdicts.keys() | found.keys()):
        verdict, seen = verdicts.get(entity), found.get(entity)
        yield {
            "path": list(field.findings.path),
            "entity": entity,
            "field_rows": field.findings.rows,
            "values": seen.values if seen else 0,
            "rows": seen.rows if seen else _rows(verdict, field.findings.rows),
            "mean_score": seen.mean_score if seen else verdict.mean_score if verdict else 0.0,
            "max_score": seen.max_score if seen else 0.0,
            "verdict": verdict.kind if verdict else None,
            "confidence": verdict.confidence if verdict else None,
            "evidence": list(verdict.evidence) if verdict else [],
        }


def _failure_rows(fields: Iterable[FieldScan]) -> Iterable[dict[str, Any]]:
    for field in fields:
        for failure in field.findings.failures:
            yield {"path": list(field.findings.path), **asdict(failure)}


def _rows(verdict: Verdict | None, field_rows: int) -> int:
    """The rows of a verdict whose entity is not that of a finding, from its share."""
    return round(verdict.share * field_rows) if verdict else 0


def load_verdicts(connection: PgConnection, table_name: str) -> list[StoredVerdict]:
    """The personal data of a stream, by field: what was once found stays found."""
    with connection.cursor(row_factory=kwargs_row(_stored)) as cursor:
        return cursor.execute(_VERDICTS, {"table_name": table_name}).fetchall()


def load_failures(connection: PgConnection, table_name: str) -> list[StoredFailure]:
    """What no recognizer could be asked about in a stream, by field."""
    with connection.cursor(row_factory=kwargs_row(_stored_failure)) as cursor:
        return cursor.execute(_FAILURES, {"table_name": table_name}).fetchall()


def _stored(path: list[str], evidence: list[str], **others: Any) -> StoredVerdict:
    return StoredVerdict(path=tuple(path), evidence=tuple(evidence), **others)


def _stored_failure(path: list[str], **others: Any) -> StoredFailure:
    return StoredFailure(path=tuple(path), **others)


_SAVE_FINDING = """
insert into pipeline.pii_finding (
    table_name, day, path, entity, field_rows, values, rows, mean_score, max_score, verdict,
    confidence, evidence
)
values (
    %(table_name)s, %(day)s, %(path)s, %(entity)s, %(field_rows)s, %(values)s, %(rows)s,
    %(mean_score)s, %(max_score)s, %(verdict)s, %(confidence)s, %(evidence)s
)
"""

_VERDICTS = """
select
    path,
    entity,
    (array_agg(verdict order by confidence desc, day))[1] as kind,
    sum(rows)::bigint as rows,
    sum(field_rows)::bigint as field_rows,
    coalesce(sum(mean_score * rows) / nullif(sum(rows), 0), 0)::float as mean_score,
    max(confidence)::float as confidence,
    (array_agg(to_jsonb(evidence) order by confidence desc, day))[1] as evidence,
    min(day) as first_day,
    max(day) as last_day
from pipeline.pii_finding
where table_name = %(table_name)s and verdict is not null
group by path, entity
order by path, confidence desc, entity
"""

_FAILURES = """
select
    path,
    recognizer,
    error,
    sum(failure.rows)::bigint as rows,
    min(day) as first_day,
    max(day) as last_day
from
    pipeline.pii_scan,
    jsonb_to_recordset(coalesce(result->'failures', '[]'))
        as failure (path text[], recognizer text, error text, rows bigint)
where table_name = %(table_name)s
group by path, recognizer, error
order by path, recognizer, error
"""
