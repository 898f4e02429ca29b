"""What PostgreSQL cannot parse of a user's checks, asked before a run does; nothing is executed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import psycopg
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.contract_text import ContractWriter
from atlas_dagster.quality.database_errors import sentence
from atlas_dagster.quality.engine import TIMEOUT, only_reading
from atlas_dagster.quality.soda_scan import explain
from atlas_dagster.quality.spec import Check, Json, UserParameters
from atlas_dagster.warehouse import PgConnection, table_columns


def sql_mistakes(
    connection: PgConnection, chart: Table, checks: Sequence[Check]
) -> list[ConfigError]:
    """What would end the checks of a user's file, by file and line; ``chart`` is there.

    ``connection`` commits by itself.
    """
    mistakes: list[ConfigError] = []
    types = table_columns(connection, chart)
    with only_reading(connection, TIMEOUT):
        for check in checks:
            if isinstance(check.parameters, UserParameters):
                error = _error(connection, chart, types, check, check.parameters)
                if error is not None:
                    told = f"{check.origin}: {check.name}: {sentence(error, TIMEOUT)}"
                    mistakes.append(ConfigError(told))
    return mistakes


def _error(
    connection: PgConnection,
    chart: Table,
    types: Mapping[str, str],
    check: Check,
    given: UserParameters,
) -> psycopg.Error | None:
    # A pattern is compiled where it meets a value; where it meets a constant, when that is planned.
    try:
        for pattern in _patterns(dict(given.body)):
            connection.execute(sql.SQL("explain select '' ~ {}").format(sql.Literal(pattern)))
    except psycopg.Error as error:
        return error
    contract = ContractWriter(connection, chart, None, types).text([("0", check)])
    return next(iter(explain(connection, contract).database_errors), None)


def _patterns(value: Json) -> Iterable[str]:
    if isinstance(value, dict):
        regex = value.get("regex")
        if isinstance(regex, str):
            yield regex
        for inner in value.values():
            yield from _patterns(inner)
