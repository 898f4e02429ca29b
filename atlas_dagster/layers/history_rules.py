"""What of a stream is key, content and time: the rules of its history, against its columns."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from atlas_dagster.catalog import CDC_DELETED_AT, Column, Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.policy import NO_POLICY, StreamPolicy, check_policy
from atlas_dagster.rules import StreamRules

CDC_PREFIX = "_ab_cdc_"
CDC_SEQUENCES = ("_ab_cdc_lsn", "_ab_cdc_cursor")

VERSION = 2
"""Counts the ways in which contents and keys have been told apart; another one is a rebuild."""


@dataclass(frozen=True)
class HistoryRules:
    """The rules of a stream's history.

    ``key`` holds property paths; where it is empty, a whole record is its own key. ``ignored``
    properties are not compared; neither are those in which a CDC source tells of itself
    (``_ab_cdc_…``). ``time`` is None where the extraction time counts. ``sequence`` orders
    versions of one instant, ``deleted`` marks a deletion when it is not null. A snapshot that would
    make a larger share of the known keys vanish than ``most_vanishing`` is not believed. All of
    them are about what ``policy`` leaves of a record.
    """

    key: tuple[tuple[str, ...], ...]
    ignored: frozenset[str]
    time: Column | None
    sequence: Column | None
    deleted: Column | None
    most_vanishing: float
    policy: StreamPolicy = NO_POLICY

    @property
    def definition(self) -> str:
        """A digest of what decides a history; where it changes, the history must be rebuilt."""
        time = self.time.name if self.time else None
        facts = [VERSION, self.key, sorted(self.ignored), time]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def compares(self, column: Column) -> bool:
        """Whether a change of this column opens a new segment."""
        return column.name not in self.ignored and not column.name.startswith(CDC_PREFIX)


def history_rules(
    stream: Stream, rules: StreamRules, policy: StreamPolicy = NO_POLICY
) -> HistoryRules:
    """Resolve ``config/atlas.yaml`` against a stream's columns.

    Raises ConfigError naming the stream and the column that is missing, of a wrong type, or changed
    by a policy that leaves no key or no time.
    """
    key = rules.natural_key or stream.primary_key
    check_policy(stream, key, rules.time_column, policy)
    for path in key:
        _existing(stream, path[0], "natural_key")
    time = _existing(stream, rules.time_column, "time_column") if rules.time_column else None
    if time is not None and not time.is_instant:
        raise ConfigError(
            f"{stream.label}: time_column {time.name!r}: expected a date or a timestamp,"
            f" found {time.type.value}"
        )
    sequences = (stream.column(name) for name in CDC_SEQUENCES)
    return HistoryRules(
        key=key,
        ignored=rules.ignore,
        time=time,
        sequence=next((column for column in sequences if column), None),
        deleted=stream.column(CDC_DELETED_AT),
        most_vanishing=rules.most_vanishing,
        policy=policy,
    )


def unknown_column(stream: Stream, name: str, what: str) -> ConfigError:
    """What is said of a rule that names a column which is not there."""
    known = ", ".join(c.name for c in stream.columns) or "none"
    return ConfigError(f"{stream.label}: {what} {name!r} is not a column; its columns: {known}")


def _existing(stream: Stream, name: str, what: str) -> Column:
    column = stream.column(name)
    if column is None:
        raise unknown_column(stream, name, what)
    return column
