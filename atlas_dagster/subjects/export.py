"""What a person may ask for: all record versions and segments of hers, as JSON Lines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from psycopg import sql

from atlas_dagster.errors import ConfigError
from atlas_dagster.subjects.search_sql import is_segment
from atlas_dagster.subjects.streams import SearchedStream
from atlas_dagster.warehouse import PgConnection


@contextmanager
def private_lines(path: Path) -> Generator[IO[str]]:
    """A file to write that only its owner can read; it is there when it is whole.

    Raises ConfigError where it is there already, or cannot be made.
    """
    if path.exists():
        raise ConfigError(f"{path} is there already: name another file")
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def export_stream(connection: PgConnection, searched: SearchedStream, file: IO[str]) -> int:
    """Write what `find_versions` has found in a stream, a line a version or segment; counts them.

    In the transaction of the search.
    """
    lines = 0
    queries = [select_versions(searched)]
    if "navigate" in searched.layers:
        queries.append(select_segments(searched))
    for query in queries:
        with connection.cursor(name="subject_export") as cursor:
            cursor.execute(query)
            for (line,) in cursor:
                file.write(f"{line}\n")
                lines += 1
    return lines


def select_versions(searched: SearchedStream) -> sql.Composed:
    """SQL: the record versions that were found, oldest first, as JSON."""
    return sql.SQL(
        """
        select json_build_object(
            'stream', {label}::text,
            'layer', case when in_explore then 'explore' else 'chart' end,
            'raw_id', _airbyte_raw_id,
            'extracted_at', _airbyte_extracted_at,
            'data', data
        )::text
        from subject_version
        order by _airbyte_extracted_at, _airbyte_raw_id
        """
    ).format(label=sql.Literal(searched.stream.label))


def select_segments(searched: SearchedStream) -> sql.Composed:
    """SQL: the segments that were found, as JSON."""
    columns = sql.SQL(" || ").join(
        [
            sql.SQL("jsonb_build_object({}::text, navigate.{})").format(
                sql.Literal(column.name), sql.Identifier(column.layer)
            )
            for column in searched.charted.columns
        ]
        or [sql.SQL("'{}'::jsonb")]
    )
    return sql.SQL(
        """
        select json_build_object(
            'stream', {label}::text,
            'layer', 'navigate',
            'natural_key', _atlas_natural_key,
            'valid_from', _atlas_valid_from,
            'valid_to', _atlas_valid_to,
            'closed_by', _atlas_closed_by,
            'raw_id', _airbyte_raw_id,
            'data', {columns}
        )::text
        from {navigate} as navigate
        where {is_segment}
        order by _atlas_natural_key, _atlas_valid_from
        """
    ).format(
        label=sql.Literal(searched.stream.label),
        columns=columns,
        navigate=sql.Identifier("navigate", searched.stream.table_name),
        is_segment=is_segment(),
    )
