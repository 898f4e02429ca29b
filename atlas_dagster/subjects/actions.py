"""Find, export and erase a person in all streams, each with its row in the audit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TypeAlias

import psycopg

from atlas_dagster.errors import AtlasError, WarehouseError
from atlas_dagster.layers.erased import save_erased_values
from atlas_dagster.names import layer_table
from atlas_dagster.rules import AtlasRules
from atlas_dagster.subjects.audit import add_stream, end_action, start_action
from atlas_dagster.subjects.erase import Mode, erase, lock_stream
from atlas_dagster.subjects.export import export_stream
from atlas_dagster.subjects.search import SubjectRows, count_rows, find_versions
from atlas_dagster.subjects.streams import SearchedStream, load_searched
from atlas_dagster.subjects.wanted import StreamName, Wanted
from atlas_dagster.warehouse import PgConnection

_Visit: TypeAlias = Callable[[SearchedStream], "SubjectRows | None"]


@dataclass(frozen=True)
class Subjects:
    """The streams that are searched, and what is needed to understand them."""

    connection: PgConnection
    streams: tuple[StreamName, ...]
    rules: AtlasRules
    secret: str | None = field(repr=False)


@dataclass
class Outcome:
    """What was found or done, by stream, and why others could not be searched.

    ``lines`` are those of an export.
    """

    rows: dict[str, SubjectRows] = field(default_factory=dict[str, SubjectRows])
    failures: list[str] = field(default_factory=list[str])
    lines: int = 0

    @property
    def found(self) -> bool:
        return any(rows.found for rows in self.rows.values())


def find_subject(subjects: Subjects, wanted: Wanted) -> Outcome:
    """Where a person is, in a state of each stream of its own."""
    connection = subjects.connection

    def visit(searched: SearchedStream) -> SubjectRows:
        find_versions(connection, searched, wanted)
        return count_rows(connection, searched, wanted)

    return _act(subjects, "find", wanted, visit)


def export_subject(subjects: Subjects, wanted: Wanted, file: IO[str]) -> Outcome:
    """Write down all that there is of a person."""
    connection = subjects.connection
    lines = 0

    def visit(searched: SearchedStream) -> SubjectRows | None:
        nonlocal lines
        if not find_versions(connection, searched, wanted):
            return None
        rows = count_rows(connection, searched, wanted)
        lines += export_stream(connection, searched, file)
        return rows

    outcome = _act(subjects, "export", wanted, visit)
    outcome.lines = lines
    return outcome


def erase_subject(subjects: Subjects, wanted: Wanted, mode: Mode) -> Outcome:
    """Erase a person, a transaction a stream; a stream that fails stays whole, and is named."""
    connection = subjects.connection
    save_erased_values(connection, wanted.values)
    return _act(
        subjects,
        mode.value,
        wanted,
        lambda searched: erase(connection, searched, wanted, mode),
        locks=True,
    )


def _act(
    subjects: Subjects, action: str, wanted: Wanted, visit: _Visit, *, locks: bool = False
) -> Outcome:
    connection = subjects.connection
    action_id = start_action(connection, action, wanted.texts)
    outcome = Outcome()
    for slug, name in subjects.streams:
        label = f"{slug}/{name}"
        try:
            with _without_values(label), connection.transaction():
                if locks:
                    lock_stream(connection, layer_table(slug, name))
                rules = subjects.rules.stream(slug, name)
                rows = visit(load_searched(connection, slug, name, rules, subjects.secret))
                if rows is not None and rows.found:
                    add_stream(connection, action_id, label, rows.by_layer)
        except AtlasError as error:
            if connection.broken:
                raise
            outcome.failures.append(str(error))
            add_stream(connection, action_id, label, {"failure": str(error)})
            continue
        if rows is not None:
            outcome.rows[label] = rows
    outcome.failures += _unknown(subjects.streams, wanted.keys)
    if not outcome.failures:
        end_action(connection, action_id)
    return outcome


def _unknown(streams: Iterable[StreamName], keys: Iterable[StreamName]) -> list[str]:
    known = set(streams)
    return [f"--key: no stream {'/'.join(name)}" for name in keys if name not in known]


@contextmanager
def _without_values(label: str) -> Generator[None]:
    """What PostgreSQL says of an error may show values: its kind has to do."""
    try:
        yield
    except psycopg.Error as error:
        kind = type(error).__name__
        raise WarehouseError(f"{label}: PostgreSQL: {kind} ({error.sqlstate})") from None
