"""The rules of history in plain Python: slow, obvious, and sharing nothing with the engine.

Versions and snapshots in, segments out. The rules are numbered as in the facts on history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

CDC_PREFIX = "_ab_cdc_"


@dataclass(frozen=True)
class Version:
    """One record as extracted once: property → value, as Python reads JSON or a typed column."""

    raw_id: str
    extracted_at: datetime
    data: Mapping[str, Any]
    sync_id: int = 1


@dataclass(frozen=True)
class Snapshot:
    """A complete full refresh: at its instant only the keys that it delivered exist."""

    sync_id: int
    instant: datetime


@dataclass(frozen=True)
class Rules:
    """What of a record is key, content and time; an empty key makes a whole record its own key."""

    key: tuple[tuple[str, ...], ...]
    ignored: frozenset[str] = frozenset()
    time_column: str | None = None
    sequence: str | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Segment:
    """A validity interval of one key; ``data`` is that of the version that opened it."""

    key: Hashable
    valid_from: datetime
    valid_to: datetime | None
    closed_by: str | None
    raw_id: str
    data: Mapping[str, Any]


def history(
    versions: Iterable[Version], rules: Rules, snapshots: Iterable[Snapshot] = ()
) -> list[Segment]:
    """All segments of all keys, ordered by the raw id that opened them."""
    by_sync = {snapshot.sync_id: snapshot for snapshot in snapshots}
    once = {version.raw_id: version for version in versions}  # rule 1
    by_key: dict[Hashable, list[Version]] = defaultdict(list)
    for version in once.values():
        key = natural_key(version, rules)
        if key is not None:  # rule 2
            by_key[key].append(version)
    segments = [
        s for key, group in by_key.items() for s in _history_of_key(key, group, rules, by_sync)
    ]
    return sorted(segments, key=lambda segment: (segment.raw_id, segment.valid_from))


def _history_of_key(
    key: Hashable, versions: list[Version], rules: Rules, snapshots: Mapping[int, Snapshot]
) -> list[Segment]:
    by_instant: dict[datetime, list[Version]] = defaultdict(list)
    for version in versions:
        snapshot = snapshots.get(version.sync_id)
        by_instant[snapshot.instant if snapshot else instant(version, rules)].append(version)
    delivered = {version.sync_id for version in versions}
    absences = {s.instant for sync_id, s in snapshots.items() if sync_id not in delivered}
    segments: list[Segment] = []
    opened: tuple[datetime, Version] | None = None
    for moment in sorted(by_instant.keys() | absences):
        if moment not in by_instant:  # rule 4
            if opened:
                segments.append(_segment(key, opened, moment, "delete"))
            opened = None
            continue
        winner = max(by_instant[moment], key=lambda v: _precedence(v, rules))  # rule 5
        if is_deleted(winner, rules):  # rules 3 and 7
            if opened:
                segments.append(_segment(key, opened, moment, "delete"))
            opened = None
        elif opened is None:
            opened = (moment, winner)
        elif content(winner, rules) != content(opened[1], rules):
            segments.append(_segment(key, opened, moment, "update"))
            opened = (moment, winner)
    if opened:
        segments.append(_segment(key, opened, None, None))
    return segments


def _segment(
    key: Hashable, opened: tuple[datetime, Version], end: datetime | None, closed_by: str | None
) -> Segment:
    start, version = opened
    return Segment(key, start, end, closed_by, version.raw_id, version.data)


def natural_key(version: Version, rules: Rules) -> Hashable | None:
    """The key as a comparable value; None where a part of it is null."""
    if not rules.key:
        return canonical(dict(version.data))
    parts = [canonical(_at_path(version.data, path)) for path in rules.key]
    return None if None in parts else tuple(parts)


def instant(version: Version, rules: Rules) -> datetime:
    """When the version counts (rule 9)."""
    value = version.data.get(rules.time_column) if rules.time_column else None
    if value is None:
        return version.extracted_at
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def is_deleted(version: Version, rules: Rules) -> bool:
    return rules.deleted is not None and version.data.get(rules.deleted) is not None


def content(version: Version, rules: Rules) -> Hashable:
    """What is compared (rule 6); the source's own bookkeeping is not."""
    return canonical(
        {
            name: value
            for name, value in version.data.items()
            if name not in rules.ignored and not name.startswith(CDC_PREFIX)
        }
    )


def _precedence(version: Version, rules: Rules) -> tuple[bool, Any, bool, str]:
    sequence = version.data.get(rules.sequence) if rules.sequence else None
    return (
        sequence is not None,
        0 if sequence is None else sequence,
        is_deleted(version, rules),
        version.raw_id,
    )


def canonical(value: Any) -> Hashable:
    """Two values are the same where their canonical forms are equal; None is null or missing."""
    match value:
        case None:
            return None
        case bool():
            return ("boolean", value)
        case int() | float() | Decimal():
            return ("number", Fraction(value))
        case str():
            return ("text", value)
        case datetime() | date() | time():
            return ("time", value)
        case list():
            return ("array", tuple(canonical(element) for element in value))
        case dict():
            fields = ((name, canonical(field)) for name, field in value.items())
            return ("object", frozenset(pair for pair in fields if pair[1] is not None))
        case _:
            raise TypeError(f"not a value of a record: {value!r}")


def _at_path(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
