"""The distinct values of every field of a stream, out of explore.

The records are read once, as PostgreSQL writes JSON, and taken apart here: the server is done as
soon as it has sent them. Its own grouping of every value of every field would take several times
as long as reading them does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from atlas_dagster.catalog import Stream
from atlas_dagster.pii.distinct import DistinctValues
from atlas_dagster.pii.extract_sql import copy_records
from atlas_dagster.pii.fields import FieldSorter, whole_paths
from atlas_dagster.pii.read_ahead import read_ahead
from atlas_dagster.pii_rules import Path
from atlas_dagster.warehouse import PgConnection

if TYPE_CHECKING:
    import polars as pl

BATCH_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class FieldValues:
    """A field and its distinct values, to be read once, before those of the next field.

    A chunk has columns ``value`` and ``count``; no value is in two rows.
    """

    path: Path
    chunks: Iterator[pl.DataFrame]


@dataclass(frozen=True)
class StreamValues:
    """The fields of a stream's records, by path.

    ``maps`` are the objects with more keys than a record has, whose values count as one field.
    """

    records: int
    maps: tuple[Path, ...]
    fields: Iterator[FieldValues]


@contextmanager
def stream_values(
    connection: PgConnection, stream: Stream, days: tuple[date, date]
) -> Generator[StreamValues]:
    """The values of the record versions of some partitions, both days included.

    Texts and numbers of every field, nested ones too. Memory does not grow with the number of
    records or of distinct values. The block must not use the connection while it is entered.
    """
    with DistinctValues() as values:
        sorter = FieldSorter()
        records = _read(connection, stream, days, sorter, values)
        whole = whole_paths(values.paths, sorter.maps)
        maps = whole_paths(sorter.maps, sorter.maps)
        yield StreamValues(records, tuple(sorted(set(maps.values()))), _fields(whole, values))


def _read(
    connection: PgConnection,
    stream: Stream,
    days: tuple[date, date],
    sorter: FieldSorter,
    values: DistinctValues,
) -> int:
    records = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(copy_records(stream, days)) as copy,
        read_ahead(copy, BATCH_BYTES) as batches,
    ):
        for batch in batches:
            for row in batch:
                # JSON has no control characters: all that COPY escapes in it are backslashes.
                sorter.add(row.replace(b"\\\\", b"\\") if b"\\" in row else row)
            records += len(batch)
            for path, some in sorter.take():
                values.add(path, some)
    return records


def _fields(whole: dict[Path, Path], values: DistinctValues) -> Iterator[FieldValues]:
    parts: dict[Path, list[Path]] = {}
    for path, field in whole.items():
        parts.setdefault(field, []).append(path)
    for field in sorted(parts):
        yield FieldValues(field, values.take(parts[field]))
