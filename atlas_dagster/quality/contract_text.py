"""Checks as the text of a Soda data contract.

A check of single rows is a ``failed_rows`` check with an expression: Soda's own types for missing
and invalid values do not quote a column's name, and know no open bounds and no patterns for columns
that are not text. All of them, row counts and ages too, are counted in one pass. Soda only counts
these, since a limit may be in percent where another is in rows; a user's check it judges too, as
its language says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.quality.check_sql import Days, age, rows_of
from atlas_dagster.quality.row_sql import row_condition
from atlas_dagster.quality.spec import Check, FreshnessParameters, Json, Rule, UserParameters
from atlas_dagster.warehouse import PgConnection

DATA_SOURCE = "atlas"

SODA_RULES = frozenset(
    {
        Rule.ROW_COUNT,
        Rule.MISSING,
        Rule.INVALID,
        Rule.TEXT_DAMAGE,
        Rule.CAST_LOSS,
        Rule.PAIR,
        Rule.FRESHNESS,
        Rule.USER,
    }
)
"""What a contract can say; the other rules have two counts that one query of ours gives."""

_VARIABLE = re.compile(r"\$\{ *[a-z]+\.[A-Za-z_]\w* *\}")
_SURROGATES = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")

_MEASURED_ONLY = {"must_be_greater_than_or_equal": 0}
_ANY_NUMBER = {"must_be_greater_than_or_equal": -1e300}


@dataclass(frozen=True)
class ContractWriter:
    """Writes the contract of some checks on the rows of chart that are scanned."""

    connection: PgConnection
    chart: Table
    days: Days | None
    types: Mapping[str, str]

    def text(self, checks: Sequence[tuple[str, Check]]) -> str:
        """The contract of some checks, each with a mark by which its result is known again.

        Raises ValueError where one cannot be written.
        """
        by_column: dict[str, list[Json]] = {}
        of_dataset: list[Json] = []
        for mark, check in checks:
            given = check.parameters
            if isinstance(given, UserParameters) and given.column is not None:
                by_column.setdefault(given.column, []).append(self._user(mark, given))
            else:
                of_dataset.append(self._dataset_check(mark, check))
        database = self.connection.info.dbname
        contract: dict[str, Json] = {
            "dataset": "/".join((DATA_SOURCE, database, self.chart.schema, self.chart.name)),
            "filter": self._sql(rows_of(self.days)),
            "columns": [self._column(name, found) for name, found in by_column.items()],
        }
        if of_dataset:
            contract["checks"] = of_dataset
        return yaml_text(contract)

    def _dataset_check(self, mark: str, check: Check) -> Json:
        given = check.parameters
        if isinstance(given, UserParameters):
            return self._user(mark, given)
        if check.rule is Rule.ROW_COUNT:
            return {"row_count": {"qualifier": mark, "threshold": {**_MEASURED_ONLY}}}
        if isinstance(given, FreshnessParameters):
            return {
                "metric": {
                    "qualifier": mark,
                    "expression": self._sql(age(check.columns[0], given, self.chart)),
                    "threshold": {**_ANY_NUMBER},
                }
            }
        condition = row_condition(check, self.types)
        body: dict[str, Json] = {
            "qualifier": mark,
            "expression": self._sql(condition.failed),
            "threshold": {**_MEASURED_ONLY},
        }
        if condition.tested is not None:
            body["filter"] = self._sql(condition.tested)
        return {"failed_rows": body}

    def _user(self, mark: str, given: UserParameters) -> Json:
        body: dict[str, Json] = {**given.body, "qualifier": mark}
        variable = _VARIABLE.search(json.dumps(body, ensure_ascii=False))
        if variable:
            raise ValueError(f"{variable[0]}: there are no variables here")
        reference = body.get("valid_reference_data")
        if isinstance(reference, dict):
            body["valid_reference_data"] = {**reference, "dataset": self._qualified(reference)}
        return {given.type: body}

    def _qualified(self, reference: Mapping[str, Json]) -> str:
        """The name that Soda knows a table by, of its ``schema/table``."""
        return f"{DATA_SOURCE}/{self.connection.info.dbname}/{reference['dataset']}"

    def _column(self, name: str, checks: list[Json]) -> Json:
        found: dict[str, Json] = {"name": name, "checks": checks}
        if '"' in name:  # Soda would not double it
            found["column_expression"] = self._sql(sql.Identifier(name))
        return found

    def _sql(self, query: sql.Composable) -> str:
        return query.as_string(self.connection)


def yaml_text(value: Json) -> str:
    """A value as YAML that means it: JSON, with the escapes that YAML spells otherwise."""
    text = json.dumps(value).replace("\x7f", "\\u007f")
    return _SURROGATES.sub(lambda pair: _astral(pair[0]), text)


def _astral(pair: str) -> str:
    character: Any = json.loads(f'"{pair}"')
    return f"\\U{ord(character):08x}"
