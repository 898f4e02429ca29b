"""The checks that every stream gets, from what its catalog says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from atlas_dagster.catalog import Stream
from atlas_dagster.quality.column_rules import column_checks
from atlas_dagster.quality.relation_rules import pair_checks, reference_checks
from atlas_dagster.quality.spec import Check
from atlas_dagster.quality.surroundings import Surroundings
from atlas_dagster.quality.table_rules import history_checks, table_checks

CDC_PREFIX = "_ab_cdc_"
"""Columns in which a CDC source tells of itself; no data, and not checked."""


def derive_checks(stream: Stream, around: Surroundings) -> tuple[Check, ...]:
    """The checks of a stream's chart and navigate, in a fixed order; their names are unique.

    They are about the columns as the source has them: see `police_checks` for what a policy leaves.
    """
    return tuple(_checks(stream, around))


def as_charted(stream: Stream, charted: Stream) -> Stream:
    """A stream with its columns as chart has them: their types may have widened since.

    ``charted`` has all columns that the stream ever had; those that the source does not declare any
    longer are not checked.
    """
    columns = (charted.column(column.name) or column for column in stream.columns)
    return replace(stream, columns=tuple(columns))


def _checks(stream: Stream, around: Surroundings) -> Iterator[Check]:
    yield from table_checks(stream, around)
    key = {path[0] for path in around.key if len(path) == 1}
    for column in stream.columns:
        if not column.name.startswith(CDC_PREFIX):
            yield from column_checks(column, around.key_origin if column.name in key else None)
    yield from pair_checks(stream)
    yield from reference_checks(stream, around.targets)
    yield from history_checks(stream)
