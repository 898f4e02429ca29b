"""What the tests of quality share: checks in few words, a charted stream, outcomes by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from atlas_dagster.json_limits import Number
from atlas_dagster.quality.engine import run_checks
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    Json,
    Limit,
    NoParameters,
    Operator,
    Outcome,
    Parameters,
    Rule,
    Threshold,
    Unit,
    UserParameters,
)
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, chart, insert_explore, make_stream, start_layers
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream(
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "country": {"type": "string"},
        "amount": {"type": "number"},
        "starts": {"type": "string", "format": "date-time"},
        "ends": {"type": "string", "format": "date-time"},
        "extra": {"type": "object"},
    }
)
CHART = STREAM.chart
WHOLE = Scan(CHART)


def days(first: int, last: int | None = None) -> tuple[date, date]:
    """Days of January 2024."""
    return at(first).date(), at(last or first).date()


def above(value: Number, unit: Unit = Unit.COUNT) -> Limit:
    return Limit(Operator.GT, value, unit)


ABOVE_NONE = above(0)


def check(
    rule: Rule,
    *columns: str,
    given: Parameters | None = None,
    name: str | None = None,
    warn: Limit | None = None,
    fail: Limit | None = ABOVE_NONE,
    dimension: Dimension = Dimension.VALIDITY,
) -> Check:
    """A check that fails above 0, unless it says otherwise."""
    return Check(
        name=name or "__".join([rule.value, *columns]),
        rule=rule,
        dimension=dimension,
        columns=columns,
        description="",
        origin="a test",
        threshold=Threshold(warn, fail),
        parameters=given or NoParameters(),
    )


def user_check(type_: str, body: Mapping[str, Json], column: str | None = None) -> Check:
    """A check of Soda's language, named after its type."""
    columns = (column,) if column else ()
    return check(Rule.USER, *columns, given=UserParameters(type_, body, column), name=type_)


def record(number: int, day: int = 1, **fields: Any) -> Version:
    """The version of a record of a day of January 2024; ``id`` is its number."""
    return Version(f"raw-{day}-{number}", at(day), {"id": number, **fields})


def charted(connection: PgConnection, versions: Iterable[Version]) -> PgConnection:
    """The versions in explore and chart of the stream."""
    start_layers(connection, STREAM)
    insert_explore(connection, STREAM, versions)
    chart(connection, STREAM)
    return connection


def outcomes(
    connection: PgConnection, *checks: Check, scan: Scan = WHOLE, timeout: float = 60
) -> dict[str, Outcome]:
    """What comes of checks, by their names."""
    return {found.check.name: found for found in run_checks(connection, scan, checks, timeout)}


def outcome(connection: PgConnection, one: Check, scan: Scan = WHOLE) -> Outcome:
    return outcomes(connection, one, scan=scan)[one.name]


def counts(found: Outcome) -> tuple[str, int | None, int | None]:
    """Status, failed, tested."""
    return found.status.value, found.failed, found.tested
