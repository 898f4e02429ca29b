"""Scores and results of scans, in ``pipeline``; and the score on the rows of chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from atlas_dagster.quality.check_sql import in_days
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import Score
from atlas_dagster.quality.spec import Dimension, Outcome, Status
from atlas_dagster.warehouse import PgConnection, identifier

_DIMENSIONS = [dimension.value for dimension in Dimension]


@dataclass(frozen=True)
class StoredScore:
    """The score of a scan, and when it was made; ``days`` is None of a whole table."""

    scan_id: int
    days: tuple[date, date] | None
    scanned_at: datetime
    score: Score


def save_scan(
    connection: PgConnection,
    scan: Scan,
    outcomes: Sequence[Outcome],
    score: Score,
    run_id: str,
    layer: str = "chart",
    started: int | None = None,
) -> int:
    """Keep what a scan found, beside what was found before; returns its id. One transaction.

    ``layer`` is that whose rows were judged: ``navigate`` of the checks of history. ``started`` is
    what `start_scan` gave, which this takes the place of. The samples of failed rows of earlier
    scans of the same days are dropped.
    """
    first, last = scan.days or (None, None)
    with connection.transaction():
        connection.execute("delete from pipeline.quality_score where scan_id = %s", (started,))
        connection.execute(_FORGET_SAMPLES, (scan.table.name, layer, first, last))
        row = connection.execute(
            _save_score(),
            {
                "table_name": scan.table.name,
                "layer": layer,
                "first_day": first,
                "last_day": last,
                "run_id": run_id,
                "status": score.status.value,
                "overall": score.overall,
                "coverage": score.coverage,
                "is_graded": score.is_graded,
                "not_checked": list(score.not_checked),
                **{name.value: found for name, found in score.dimensions.items()},
            },
        ).fetchone()
        assert row is not None
        scan_id = int(row[0])
        with connection.cursor() as cursor:
            cursor.executemany(_SAVE_RESULT, [_result_row(scan_id, found) for found in outcomes])
    return scan_id


def start_scan(connection: PgConnection, scan: Scan, run_id: str) -> int:
    """Note that a scan has begun; until `save_scan` it counts as one that could not end."""
    unknown = Score(dict.fromkeys(Dimension), None, 0.0, False, Status.ERROR, ())
    return save_scan(connection, scan, (), unknown, run_id)


def load_scores(
    connection: PgConnection, table_name: str, days: tuple[date, date] | None, limit: int = 10
) -> list[StoredScore]:
    """The scores of the scans of some days of chart, or of all of it, the newest first."""
    first, last = days or (None, None)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select *
            from pipeline.quality_score
            where table_name = %s
                and layer = 'chart'
                and first_day is not distinct from %s::date
                and last_day is not distinct from %s::date
            order by scan_id desc
            limit %s
            """,
            (table_name, first, last, limit),
        ).fetchall()
    return [_stored(row) for row in rows]


def mark_rows(connection: PgConnection, scan: Scan, score: Score) -> int:
    """Put a score on the rows of chart that it is of; returns how many did not have it.

    A row keeps the time at which it got its score for as long as the score stays the same.
    """
    tests: list[sql.Composable] = [
        sql.SQL(
            "(_atlas_validated_at is null"
            " or _atlas_quality_score is distinct from %(overall)s::real)"
        )
    ]
    if scan.days:
        tests.append(in_days(scan.days))
    query = sql.SQL(
        """
        update {chart}
        set _atlas_quality_score = %(overall)s::real, _atlas_validated_at = now()
        where {where}
        """
    ).format(chart=identifier(scan.table), where=sql.SQL(" and ").join(tests))
    return connection.execute(query, {"overall": score.overall}).rowcount


_FORGET_SAMPLES = """
delete from pipeline.quality_failed_row as sample
using pipeline.quality_score as score
where score.scan_id = sample.scan_id
    and score.table_name = %s
    and score.layer = %s
    and score.first_day is not distinct from %s::date
    and score.last_day is not distinct from %s::date
"""

_SAVE_RESULT = """
insert into pipeline.quality_result (
    scan_id, check_name, rule, dimension, columns, origin, status, value, tested, failed, ratio,
    message
)
values (
    %(scan_id)s, %(check_name)s, %(rule)s, %(dimension)s, %(columns)s, %(origin)s, %(status)s,
    %(value)s, %(tested)s, %(failed)s, %(ratio)s, %(message)s
)
"""


def _save_score() -> sql.Composed:
    names = [
        "table_name",
        "layer",
        "first_day",
        "last_day",
        "run_id",
        "status",
        "overall",
        "coverage",
        "is_graded",
        "not_checked",
        *_DIMENSIONS,
    ]
    return sql.SQL("insert into pipeline.quality_score ({}) values ({}) returning scan_id").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )


def _result_row(scan_id: int, outcome: Outcome) -> dict[str, Any]:
    check = outcome.check
    return {
        "scan_id": scan_id,
        "check_name": check.name,
        "rule": check.rule.value,
        "dimension": check.dimension.value,
        "columns": list(check.columns),
        "origin": check.origin,
        "status": outcome.status.value,
        "value": outcome.value,
        "tested": outcome.tested,
        "failed": outcome.failed,
        "ratio": outcome.ratio,
        "message": outcome.message,
    }


def _stored(row: dict[str, Any]) -> StoredScore:
    days = (row["first_day"], row["last_day"]) if row["first_day"] is not None else None
    return StoredScore(
        row["scan_id"],
        days,
        row["scanned_at"],
        Score(
            {dimension: row[dimension.value] for dimension in Dimension},
            row["overall"],
            row["coverage"],
            row["is_graded"],
            Status(row["status"]),
            tuple(row["not_checked"]),
        ),
    )
