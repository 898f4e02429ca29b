"""What commands that are about streams have in common: which are meant, and lines in columns."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_dagster.errors import ConfigError
from atlas_dagster.warehouse import PgConnection

StreamName = tuple[str, str]


def known_streams(warehouse: PgConnection) -> list[StreamName]:
    """All streams that have a table in a layer: connection and stream, by their slugs."""
    rows = warehouse.execute(
        "select connection, stream from pipeline.stream order by connection, stream"
    ).fetchall()
    return [(str(connection), str(stream)) for connection, stream in rows]


def chosen_streams(known: Sequence[StreamName], name: str | None) -> list[StreamName]:
    """Those of a connection, or ``connection/stream``, or all; raises ConfigError on others."""
    if name is None:
        return list(known)
    connection, _, stream = name.partition("/")
    chosen = [pair for pair in known if pair[0] == connection and stream in ("", pair[1])]
    if not chosen:
        there_are = ", ".join("/".join(pair) for pair in known) or "none"
        raise ConfigError(f"no stream {name!r}; there are: {there_are}")
    return chosen


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of cells, the first one the header, as lines; columns in ``right`` are numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
