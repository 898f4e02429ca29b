"""`atlas subject`: a person's data in all layers of all streams."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.cli_streams import aligned, known_streams
from atlas_dagster.counted import counted
from atlas_dagster.errors import AtlasError
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import load_settings
from atlas_dagster.subjects.actions import (
    Outcome,
    Subjects,
    erase_subject,
    export_subject,
    find_subject,
)
from atlas_dagster.subjects.erase import Mode
from atlas_dagster.subjects.export import private_lines
from atlas_dagster.subjects.search import SubjectRows
from atlas_dagster.subjects.wanted import Wanted, read_wanted
from atlas_dagster.warehouse import connect, migrate, resolve_url

_Command = TypeVar("_Command", bound=Callable[..., Any])
_HEADER = ("stream", "explore", "chart", "navigate", "landing", "keys")


@click.group()
def subject() -> None:
    """A person's data: find, export, erase."""


def _wanted(command: _Command) -> _Command:
    """The options that say whom is looked for."""
    command = click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="CONNECTION/STREAM=KEY",
        help="A natural key; one of several parts is a JSON array.",
    )(command)
    return click.option(
        "--value",
        "values",
        multiple=True,
        help="In fields with personal data; - asks for it, or reads a line of stdin.",
    )(command)


@subject.command()
@_wanted
def find(values: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Say where a person is: rows by stream and layer, and natural keys."""
    wanted = _read(values, keys)
    with _subjects() as subjects:
        outcome = find_subject(subjects, wanted)
    _tell(outcome)
    _end(outcome)


@subject.command()
@_wanted
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), required=True)
def export(values: tuple[str, ...], keys: tuple[str, ...], file: Path) -> None:
    """Write all record versions and segments of a person, as JSON Lines."""
    wanted = _read(values, keys)
    with _subjects() as subjects, private_lines(file) as lines:
        outcome = export_subject(subjects, wanted, lines)
        _end(outcome)  # half an answer is none: there is no file then
    _tell(outcome)
    click.echo(f"{counted(outcome.lines, 'line')} written to {file}")


@subject.command()
@_wanted
@click.option("--redact/--remove", default=True, help="Values go (default), or record versions.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    values: tuple[str, ...], keys: tuple[str, ...], *, redact: bool, dry_run: bool, yes: bool
) -> None:
    """Erase a person from explore, chart and navigate; it does not come back from landing.

    Redacted record versions stay, their personal data becomes <erased>; where none is known, all
    fields but the key do.
    """
    wanted = _read(values, keys)
    mode = Mode.REDACT if redact else Mode.REMOVE
    with _subjects() as subjects:
        if dry_run or not yes:
            plan = find_subject(subjects, wanted)
            _tell(plan)
            if dry_run or not plan.found:
                _end(plan)
                return
            click.confirm(f"{mode.value} them? It cannot be undone", abort=True, err=True)
        outcome = erase_subject(subjects, wanted, mode)
    if yes:
        _tell(outcome)
    streams = sum(rows.found for rows in outcome.rows.values())
    click.echo(f"erased ({mode.value}) in {counted(streams, 'stream')}")
    _tell_landing(outcome)
    _end(outcome)


def _read(values: Sequence[str], keys: Sequence[str]) -> Wanted:
    return read_wanted([_ask() if value == "-" else value for value in values], keys)


def _ask() -> str:
    """A value that stands neither in the shell's history nor in the list of processes."""
    if sys.stdin.isatty():
        return str(click.prompt("value", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


@contextmanager
def _subjects() -> Generator[Subjects]:
    settings = load_settings()
    rules = load_rules(settings, served_slugs(settings))
    with connect(resolve_url(settings), application="atlas subject") as warehouse:
        migrate(warehouse)
        streams = tuple(known_streams(warehouse))
        yield Subjects(warehouse, streams, rules, settings.pii_hash_key)


def _tell(outcome: Outcome) -> None:
    found = {label: rows for label, rows in outcome.rows.items() if rows.found}
    if not found:
        click.echo("nothing was found")
    else:
        cells = [(label, *_cells(rows)) for label, rows in found.items()]
        for line in aligned([_HEADER, *cells], right=(1, 2, 3, 4)):
            click.echo(line)
    for line in _elsewhere(outcome):
        click.echo(line)


def _cells(rows: SubjectRows) -> Iterator[str]:
    for count in rows.by_layer.values():
        yield "-" if count is None else f"{count:,}"
    more = [f"and {rows.more_keys:,} more"] if rows.more_keys else []
    yield ", ".join([*rows.keys, *more])


def _elsewhere(outcome: Outcome) -> Iterator[str]:
    for label, rows in outcome.rows.items():
        if rows.elsewhere:
            yield (
                f"{label}: {counted(rows.elsewhere, 'other record version')} with the value within"
                " a text, or in a field that is not known to be personal: not touched; --key names"
                " records"
            )


def _tell_landing(outcome: Outcome) -> None:
    for label, rows in outcome.rows.items():
        if rows.landing:
            they_are, have = ("it is", "has") if rows.landing == 1 else ("they are", "have")
            click.echo(
                f"{label}: landing still holds {counted(rows.landing, 'row')}: {they_are} not taken"
                f" again, and {have} to go at the source, from which Airbyte rewrites landing"
            )


def _end(outcome: Outcome) -> None:
    """Whatever could not be searched is an error: nobody should take it for clean."""
    if not outcome.failures:
        return
    for failure in outcome.failures[:-1]:
        click.echo(f"atlas: {failure}", err=True)
    raise AtlasError(outcome.failures[-1])
