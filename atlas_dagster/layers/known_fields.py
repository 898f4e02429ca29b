"""Whether the fields that rules name are there, or ever were: a typo would leave data in clear."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from atlas_dagster.catalog import Stream
from atlas_dagster.catalog_store import load_connection
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.history_rules import unknown_column
from atlas_dagster.pii_rules import Path, Scope, field_path
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster.yaml_source import suggestion


def refuse_unknown_fields(
    connection: PgConnection, stream: Stream, rules: StreamRules, found: Iterable[Path]
) -> None:
    """Refuse rules that name no field of a stream, given with all columns that it ever had.

    What personal data was ``found`` in is known too. Of a field within a column, the column alone
    is. The policy of a connection may name what any of its streams has. Raises ConfigError naming
    the field.
    """
    columns = {column.name for column in stream.columns}
    for name in sorted(rules.ignore - columns):
        raise unknown_column(stream, name, "ignore")
    known = columns | {path[0] for path in found}
    for name in _unknown(rules.pii.named_in(Scope.STREAM), known):
        raise unknown_column(stream, name, "pii.columns")
    wider = rules.pii.named_in(Scope.CONNECTION)
    if _unknown(wider, known):
        known = _of_connection(connection, stream.connection)
        for name in _unknown(wider, known):
            raise ConfigError(
                f"{stream.connection}: pii.columns {name!r} is a column of none of its streams;"
                f" {suggestion(name, known)}"
            )


def _unknown(names: Iterable[str], known: Collection[str]) -> list[str]:
    return [name for name in names if name not in known and field_path(name)[0] not in known]


def _of_connection(connection: PgConnection, slug: str) -> set[str]:
    """The columns that streams of a connection ever had, and in what personal data was found."""
    rows = connection.execute(
        """
        with ours as (select table_name from pipeline.stream where connection = %s)
        select name from pipeline.stream_column join ours using (table_name)
        union
        select path[1] from pipeline.pii_finding join ours using (table_name)
        """,
        (slug,),
    ).fetchall()
    streams = load_connection(connection, slug).streams
    return {str(name) for (name,) in rows} | {c.name for s in streams for c in s.columns}
