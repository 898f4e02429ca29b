"""Errors as an operator should see them in Dagster: a sentence first, no stack trace."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
import psycopg

from atlas_dagster.errors import AtlasError, BusyError


@contextmanager
def operator_errors(what: str) -> Generator[None]:
    """Turn errors of Atlas and of PostgreSQL into failures that say what to do.

    Only what may pass by itself (a lost connection, a busy table) is worth a retry.
    """
    try:
        yield
    except AtlasError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, BusyError)) from None
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise dg.Failure(f"{what}: PostgreSQL went away: {reason}") from error
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error)
        raise dg.Failure(f"{what}: PostgreSQL refused: {reason}", allow_retries=False) from error
