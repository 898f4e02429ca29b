"""Scores and results of scans, in ``pipeline``; and the score on the rows of chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    what `start_scan` gave: the order of scans is that in which they began. The samples of failed
    rows of earlier scans of the same days are dropped.
    """
    first, last = scan.days or (None, None)
    with connection.transaction():
        scan_id = _save_score(connection, _score_row(scan, score, run_id, layer), started)
        connection.execute(_FORGET_SAMPLES, (scan.table.name, layer, first, last, scan_id))
        with connection.cursor() as cursor:
            cursor.executemany(_SAVE_RESULT, [_result_row(scan_id, found) for found in outcomes])
    return scan_id


def start_scan(connection: PgConnection, scan: Scan, run_id: str) -> int:
    """Note that a scan of chart has begun; until `save_scan` it counts as one that could not end.

    It takes the place of what `expect_scan` noted in the same run.
    """
    unknown = Score(dict.fromkeys(Dimension), None, 0.0, False, Status.ERROR, ())
    with connection.transaction():
        connection.execute(_FORGET_EXPECTED, (scan.table.name, run_id))
        row = {**_score_row(scan, unknown, run_id, "chart"), "has_ended": False}
        return _save_score(connection, row, None)


def expect_scan(connection: PgConnection, scan: Scan, run_id: str) -> None:
    """Note that rows of chart have changed, and are yet to be scanned: that counts as `start_scan`.

    A stream that was never scanned is left alone: nobody has asked for its checks yet.
    """
    row = connection.execute(
        "select from pipeline.quality_score where table_name = %s and layer = 'chart' limit 1",
        (scan.table.name,),
    ).fetchone()
    if row is not None:
        start_scan(connection, scan, run_id)


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
    and score.scan_id < %s
"""

_FORGET_EXPECTED = """
delete from pipeline.quality_score
where table_name = %s
    and layer = 'chart'
    and run_id = %s
    and not has_ended
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


def _save_score(connection: PgConnection, row: Mapping[str, Any], started: int | None) -> int:
    """Write a row, in the place of one that `start_scan` wrote where there is one."""
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Placeholder, row))
    if started is not None:
        query = sql.SQL(
            """
            update pipeline.quality_score
            set ({names}) = ({values}), scanned_at = now()
            where scan_id = {scan_id}
            returning scan_id
            """
        ).format(names=names, values=values, scan_id=sql.Literal(started))
        if updated := connection.execute(query, row).fetchone():
            return int(updated[0])
    query = sql.SQL("insert into pipeline.quality_score ({}) values ({}) returning scan_id").format(
        names, values
    )
    inserted = connection.execute(query, row).fetchone()
    assert inserted is not None
    return int(inserted[0])


def _score_row(scan: Scan, score: Score, run_id: str, layer: str) -> dict[str, Any]:
    first, last = scan.days or (None, None)
    return {
        "table_name": scan.table.name,
        "layer": layer,
        "first_day": first,
        "last_day": last,
        "run_id": run_id,
        "has_ended": True,
        "status": score.status.value,
        "overall": score.overall,
        "coverage": score.coverage,
        "is_graded": score.is_graded,
        "not_checked": list(score.not_checked),
        **{name.value: found for name, found in score.dimensions.items()},
    }


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
