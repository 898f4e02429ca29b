"""Why a check could not be evaluated, in one sentence that quotes no value of a row."""

from __future__ import annotations

import re
from collections.abc import Iterable

import psycopg

from atlas_dagster.warehouse import PgConnection

LONGEST = 300

_QUOTES_NO_VALUES = ("08", "0A", "25", "42", "53", "55", "57")  # classes of SQLSTATE
_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
_SAID = (
    (re.compile(r"returned (\w+) .*, not a finite number"), r"returned \1, which is no number"),
    (re.compile(r"returned value .* of data type"), "returned a value of data type"),
)


def sentence(error: psycopg.Error, timeout: float) -> str:
    """What PostgreSQL said of a statement; ``timeout`` is in seconds."""
    if is_timeout(error):
        return f"not done within {timeout:g} s"
    if has_ended(error):
        return f"PostgreSQL ended the connection: {_one_line(_primary(error))}"
    text = _primary(error)
    if (error.sqlstate or "")[:2] not in _QUOTES_NO_VALUES:
        text = _QUOTED.sub('"…"', text)
    return _one_line(text)


def complaint(said: Iterable[str]) -> str:
    """What Soda said of a contract, without the values that it quotes."""
    text = next(iter(said), "Soda gave no result")
    for pattern, told in _SAID:
        text = pattern.sub(told, text)
    return _one_line(text)


def is_timeout(error: psycopg.Error) -> bool:
    """Whether a statement took longer than it may."""
    return isinstance(error, psycopg.errors.QueryCanceled)


def has_ended(error: psycopg.Error) -> bool:
    """Whether the server is gone, or has ended the session."""
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith(("08", "57P"))
    )


def is_usable(connection: PgConnection) -> bool:
    """Whether a connection can be asked again."""
    return not (connection.closed or connection.broken)


def _primary(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error)


def _one_line(text: str) -> str:
    line = " ".join(text.split("\n", 1)[0].split()).rstrip(".")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
