"""What checks of a stream need to know beside the stream: its key, its pace, its siblings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from atlas_dagster.catalog import Column, Connection, Stream, Table
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.quality.cron import longest_gap
from atlas_dagster.rules import AtlasRules, ConnectionRules

Path = tuple[str, ...]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_KEY_TYPES = (ColumnType.BIGINT, ColumnType.NUMERIC, ColumnType.TEXT)


@dataclass(frozen=True)
class Target:
    """A stream of one key column, to which columns of its siblings may refer."""

    stream: str  # slug
    namespace: str | None
    table: Table
    column: Column


@dataclass(frozen=True)
class Surroundings:
    """What a connection and the rules say of a stream.

    ``every_seconds`` is the longest time between two syncs; None where nobody schedules them.
    ``targets`` are by the words that a column would call them by.
    """

    key: tuple[Path, ...]
    key_origin: str
    every_seconds: int | None
    targets: Mapping[str, tuple[Target, ...]]


def load_surroundings(connection: Connection, rules: AtlasRules) -> dict[str, Surroundings]:
    """The surroundings of each stream of a connection, by its slug."""
    every = sync_interval(connection, rules.connection(connection.slug))
    keys = {
        stream.slug: rules.stream(connection.slug, stream.slug).natural_key
        for stream in connection.streams
    }
    targets = _targets(connection.streams, keys)
    return {
        stream.slug: Surroundings(
            key=keys[stream.slug] or stream.primary_key,
            key_origin="config/atlas.yaml: natural_key"
            if keys[stream.slug]
            else "the source's primary key",
            every_seconds=every,
            targets=targets,
        )
        for stream in connection.streams
    }


def sync_interval(connection: Connection, rules: ConnectionRules) -> int | None:
    """The longest time between two syncs that are scheduled, in seconds; None where none is."""
    if not connection.is_active:
        return None
    if rules.cron:
        return longest_gap(rules.cron)
    if connection.schedule_type == "cron":
        return longest_gap(connection.cron or "")
    return connection.every_seconds if connection.schedule_type == "basic" else None


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: ``userID`` and ``user_id`` have the same."""
    return tuple(word.lower() for word in _WORD.findall(name))


def _targets(
    streams: Iterable[Stream], keys: Mapping[str, Sequence[Path]]
) -> dict[str, tuple[Target, ...]]:
    targets: dict[str, tuple[Target, ...]] = {}
    for stream in streams:
        key = keys[stream.slug] or stream.primary_key
        column = stream.column(key[0][0]) if len(key) == 1 and len(key[0]) == 1 else None
        if column is None or column.type not in _KEY_TYPES:
            continue
        target = Target(stream.slug, stream.namespace, Table("chart", stream.table_name), column)
        for name in _names_of_one(words(stream.name)):
            targets[name] = (*targets.get(name, ()), target)
    return targets


def _names_of_one(stream: Sequence[str]) -> set[str]:
    """What one record of a stream may be called: ``users`` holds a ``user``."""
    if not stream:
        return set()
    *before, last = stream
    ones = {last}
    for plural, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if last.endswith(plural) and not last.endswith("ss") and len(last) > len(plural) + 1:
            ones.add(last.removesuffix(plural) + singular)
    return {" ".join([*before, one]) for one in ones}
