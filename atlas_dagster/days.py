"""UTC days, where PostgreSQL's go further than Python's: to infinity, in both directions."""

from __future__ import annotations

from datetime import date

from psycopg import sql


def of_days(day: sql.Composable, days: tuple[date, date]) -> sql.Composed:
    """SQL: whether a day is one of a range; ``date.min`` and ``date.max`` leave it open."""
    return sql.SQL("{} between {} and {}").format(day, _bound(days[0]), _bound(days[1]))


def readable_day(day: sql.Composable) -> sql.Composed:
    """SQL: a day as Python can hold it, the first or the last one in place of what lies beyond."""
    return sql.SQL("least(greatest({}, {}), {})").format(
        day, sql.Literal(date.min), sql.Literal(date.max)
    )


def _bound(day: date) -> sql.Composable:
    if day == date.min:
        return sql.SQL("'-infinity'::date")
    return sql.SQL("'infinity'::date") if day == date.max else sql.Literal(day)
