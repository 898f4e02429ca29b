"""Runs the checks of a stream on its chart table; every check comes back with an outcome.

One check that cannot be evaluated does not stop the others, and is never a pass.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import psycopg

from atlas_dagster.quality import queries
from atlas_dagster.quality.check_sql import newest_day
from atlas_dagster.quality.contract_text import SODA_RULES
from atlas_dagster.quality.database_errors import is_usable, sentence
from atlas_dagster.quality.judge import NO_ROWS, failed_to_run, judge, not_checked
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.soda_checks import SodaChecks
from atlas_dagster.quality.spec import (
    Check,
    DuplicateParameters,
    FreshnessParameters,
    Outcome,
    PairParameters,
    RowCountParameters,
    Rule,
    UserParameters,
)
from atlas_dagster.warehouse import PgConnection, table_columns

NO_SYNC = "no sync on these days"

TIMEOUT = 600.0
"""Seconds that one statement of a scan may take."""


def run_checks(
    connection: PgConnection, scan: Scan, checks: Sequence[Check], timeout: float = TIMEOUT
) -> list[Outcome]:
    """The outcomes of some checks of a stream, in their order.

    ``connection`` commits by itself; ``timeout`` is in seconds, for each statement. Never raises
    for what is wrong with a check, the data or the server.
    """
    if not connection.autocommit:
        raise ValueError("checks need a connection that commits by itself")
    outcomes: dict[str, Outcome] = {}
    try:
        with only_reading(connection, timeout):
            _run(connection, scan, checks, timeout, outcomes)
    except psycopg.Error as error:
        why = sentence(error, timeout)
        for check in checks:
            outcomes.setdefault(check.name, failed_to_run(check, why))
    return [outcomes[check.name] for check in checks]


def _run(
    connection: PgConnection,
    scan: Scan,
    checks: Sequence[Check],
    timeout: float,
    outcomes: dict[str, Outcome],
) -> None:
    types = table_columns(connection, scan.table)
    newest = _newest(connection, scan) if types else None
    for check in checks:
        early = _without_scan(check, scan, types, newest)
        if early is not None:
            outcomes[check.name] = early
        elif _counts_days(check) and not queries.was_synced(connection, scan):
            outcomes[check.name] = not_checked(check, NO_SYNC)
    left = [check for check in checks if check.name not in outcomes]
    ours = [check for check in left if not _is_for_soda(check, scan, newest)]
    for_soda = [check for check in left if check not in ours]
    SodaChecks(connection, scan, types, timeout, outcomes).run(for_soda)
    for check in ours:
        outcomes[check.name] = _asked(connection, scan, check, types, newest, timeout)


def _newest(connection: PgConnection, scan: Scan) -> date | None:
    row = connection.execute(newest_day(scan.table)).fetchone()
    return row[0] if row else None


def _without_scan(
    check: Check, scan: Scan, types: dict[str, str], newest: date | None
) -> Outcome | None:
    """What comes of a check before any row is read: of what is not there, and of the schema."""
    if not types:
        return failed_to_run(check, f"{scan.table} does not exist: materialize chart first")
    if check.rule is Rule.SCHEMA:
        return judge(check, queries.compare_schema(check, types))
    gone = [name for name in _columns(check) if name not in types]
    if gone:
        return failed_to_run(check, f"{scan.table} has no column {', '.join(gone)}")
    if check.rule is Rule.FRESHNESS and newest is None:
        return not_checked(check, NO_ROWS)
    return None


def _counts_days(check: Check) -> bool:
    """Whether it is about the rows of the days that are scanned, and wants some of each sync."""
    return isinstance(check.parameters, RowCountParameters) and not check.parameters.of_all_days


def _columns(check: Check) -> list[str]:
    """The columns of chart that a check needs, those that its parameters name included."""
    match check.parameters:
        case _ if check.rule is Rule.HISTORY:
            return []
        case UserParameters(column=column):
            return [column] if column is not None else []
        case DuplicateParameters(within):
            return [*check.columns, *within]
        case PairParameters(earlier, later):
            return [earlier, later]
        case _:
            return [*check.columns]


def _is_for_soda(check: Check, scan: Scan, newest: date | None) -> bool:
    """Whether a contract on the scanned rows says it: not what is of other days than these."""
    if scan.days is not None:
        given = check.parameters
        if isinstance(given, FreshnessParameters):
            return newest is not None and scan.days[0] <= newest <= scan.days[1]
        if isinstance(given, RowCountParameters) and given.of_all_days:
            return False
    return check.rule in SODA_RULES


def _asked(
    connection: PgConnection,
    scan: Scan,
    check: Check,
    types: dict[str, str],
    newest: date | None,
    timeout: float,
) -> Outcome:
    try:
        return judge(check, queries.ask(connection, scan, check, types, newest))
    except psycopg.Error as error:
        return failed_to_run(check, sentence(error, timeout))


@contextmanager
def only_reading(connection: PgConnection, seconds: float) -> Generator[None]:
    """Let a block change nothing, and bound its statements; what was set before holds after it."""
    wanted = {
        "statement_timeout": f"{round(seconds * 1000)}ms",
        "default_transaction_read_only": "on",
    }
    before = {name: _setting(connection, name) for name in wanted}
    _set(connection, wanted)
    try:
        yield
    finally:
        if is_usable(connection):
            _set(connection, before)


def _setting(connection: PgConnection, name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def _set(connection: PgConnection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, false)", (name, value))
