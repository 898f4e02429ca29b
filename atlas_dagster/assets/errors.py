"""Errors as an operator should see them in Dagster: a sentence first, no stack trace."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
import psycopg

from atlas_dagster.errors import AirbyteUnavailableError, AtlasError, BusyError


@contextmanager
def operator_errors(what: str) -> Generator[None]:
    """Turn errors of Atlas and of PostgreSQL into failures that say what to do.

    Only what may pass by itself (a lost connection, a busy table) is worth a retry.
    """
    try:
        yield
    except AtlasError as error:
        unreachable = isinstance(error.__cause__, psycopg.OperationalError)
        passing = unreachable or isinstance(error, (BusyError, AirbyteUnavailableError))
        raise dg.Failure(str(error), allow_retries=passing) from None
    except psycopg.Error as error:
        passing = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        verb = "went away" if _is_lost(error) else "could not do it" if passing else "refused"
        raise dg.Failure(
            f"{what}: PostgreSQL {verb}: {_reason(error)}", allow_retries=passing
        ) from (error if passing else None)


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the connection is gone: the client says so, or the server as it shuts down."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith(("08", "57P"))
    )


def _reason(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return error.diag.message_primary or (lines[0] if lines else type(error).__name__)
