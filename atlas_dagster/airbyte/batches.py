"""Records on their way from a connector to the warehouse, and which of them a state covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from atlas_dagster.airbyte.jobs import StreamKey
from atlas_dagster.airbyte.protocol import Record, repair_json, with_changes
from atlas_dagster.airbyte.state import Entry
from atlas_dagster.errors import ConnectorError

_DAY_MILLISECONDS = 86_400_000
_END_OF_TIME = 253_402_300_800_000  # year 10000
_BRACE = ord("{")


@dataclass
class Tally:
    """Counts of a set of records; times are milliseconds since 1970, days are numbered from it."""

    records: int = 0
    bytes: int = 0
    first: int | None = None
    last: int | None = None
    days: set[int] = field(default_factory=set[int])

    def plus(self, other: Tally) -> Tally:
        """The counts of both sets."""
        times = [t for t in (self.first, self.last, other.first, other.last) if t is not None]
        return Tally(
            self.records + other.records,
            self.bytes + other.bytes,
            min(times, default=None),
            max(times, default=None),
            self.days | other.days,
        )


@dataclass(frozen=True)
class Part:
    """Rows of one stream, as lines of COPY. ``applies``: they and all staged before are due."""

    key: StreamKey
    rows: Sequence[bytes]
    tally: Tally
    applies: bool


@dataclass(frozen=True)
class Batch:
    """What one transaction writes: rows, and the states that cover them."""

    parts: Sequence[Part]
    states: Sequence[Entry]


class StreamBuffer:
    """The records of one stream that are not written yet, and its counts so far."""

    def __init__(self, key: StreamKey, *, applies_early: bool) -> None:
        self.key = key
        self.applies_early = applies_early
        self.status = "pending"
        self.records_emitted = 0
        self.bytes_emitted = 0
        self.states = 0
        self.since_state = 0
        self.covered: list[bytes] = []
        self.covered_tally = Tally()
        self.covered_due = False  # a state covers rows here, or in staging
        self.tail: list[bytes] = []
        self.tail_tally = Tally()

    def add(self, sequence: int, record: Record) -> int:
        """Take a record; returns its size in bytes."""
        data = bytes(record.data)
        emitted_at = int(record.emitted_at)
        if data[0] != _BRACE or not 0 <= emitted_at < _END_OF_TIME:
            wrong = "data" if data[0] != _BRACE else "emitted_at"
            raise ConnectorError(
                f"stream {self.key[0]}: record {self.records_emitted + 1}: {wrong} is not valid"
            )
        changes = (bytes(record.meta.changes) if record.meta else b"") or rb"\N"
        if changes != rb"\N":
            changes = changes.replace(b"\\", b"\\\\")
        self.tail.append(
            b"%d\t%d\t%b\t%b\n" % (sequence, emitted_at, changes, data.replace(b"\\", b"\\\\"))
        )
        size = len(data)
        tally = self.tail_tally
        tally.records += 1
        tally.bytes += size
        tally.days.add(emitted_at // _DAY_MILLISECONDS)
        if tally.first is None or emitted_at < tally.first:
            tally.first = emitted_at
        if tally.last is None or emitted_at > tally.last:
            tally.last = emitted_at
        self.records_emitted += 1
        self.bytes_emitted += size
        self.since_state += 1
        return size

    def cover(self) -> None:
        """A state came that covers every record so far."""
        self.covered += self.tail
        self.covered_tally = self.covered_tally.plus(self.tail_tally)
        self.tail, self.tail_tally = [], Tally()
        self.covered_due = True

    def take(self, *, spill: bool, force: bool) -> list[Part]:
        """The rows to write now: those that are covered, and with ``spill`` the others too.

        ``force`` gives a part even without rows, as rows may wait in staging.
        """
        parts: list[Part] = []
        if self.applies_early:
            self.cover()
        if self.covered_due or force:
            parts.append(Part(self.key, self.covered, self.covered_tally, applies=True))
            self.covered, self.covered_tally, self.covered_due = [], Tally(), False
        if spill and self.tail:
            parts.append(Part(self.key, self.tail, self.tail_tally, applies=False))
            self.tail, self.tail_tally = [], Tally()
        return parts


def repaired(batch: Batch) -> Batch:
    """The batch with every record passed through the lenient parser, as PostgreSQL refused one."""
    parts = [
        Part(part.key, [_repaired_row(row) for row in part.rows], part.tally, part.applies)
        for part in batch.parts
    ]
    return Batch(parts, batch.states)


def _repaired_row(row: bytes) -> bytes:
    sequence, emitted_at, changes, escaped = row[:-1].split(b"\t", 3)
    data, nulled = repair_json(escaped.replace(rb"\\", b"\\"))
    if nulled:
        before = b"[]" if changes == rb"\N" else changes.replace(rb"\\", b"\\")
        changes = with_changes(before, nulled).replace(b"\\", rb"\\")
    return b"\t".join((sequence, emitted_at, changes, data.replace(b"\\", rb"\\"))) + b"\n"
