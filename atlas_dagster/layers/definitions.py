"""Under which rules of history a table was built; others mean a rebuild."""

from __future__ import annotations

from atlas_dagster.catalog import Table
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.warehouse import PgConnection


def is_outdated(connection: PgConnection, table: Table, rules: HistoryRules) -> bool:
    """Whether a chart or navigate table was built under other rules of history."""
    row = connection.execute(
        "select definition from pipeline.history_definition where layer = %s and table_name = %s",
        (table.schema, table.name),
    ).fetchone()
    return row is not None and row[0] != rules.definition


def save_definition(connection: PgConnection, table: Table, rules: HistoryRules) -> None:
    """Remember the rules of history that a table was built under."""
    connection.execute(
        "insert into pipeline.history_definition (layer, table_name, definition)"
        " values (%s, %s, %s) on conflict (layer, table_name)"
        " do update set definition = excluded.definition, built_at = now()",
        (table.schema, table.name, rules.definition),
    )
