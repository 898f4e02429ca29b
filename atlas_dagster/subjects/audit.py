"""The audit of what was done with the data of persons, in ``pipeline.subject_action``."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from atlas_dagster.warehouse import PgConnection


def start_action(connection: PgConnection, action: str, texts: Sequence[str]) -> int:
    """Record who begins to do what; of the values there are digests. Returns the action's id."""
    row = connection.execute(
        """
        insert into pipeline.subject_action (action, operator, digests)
        select %s, %s, coalesce(array_agg(encode(pipeline.subject_digest(text), 'hex')), '{}')
        from unnest(%s::text[]) as text
        returning action_id
        """,
        (action, operator(), list(texts)),
    ).fetchone()
    assert row is not None
    return int(row[0])


def add_stream(
    connection: PgConnection, action_id: int, label: str, rows: Mapping[str, Any]
) -> None:
    """Record what was done in a stream, in the transaction that does it."""
    connection.execute(
        "update pipeline.subject_action set streams = streams || %s where action_id = %s",
        (Jsonb({label: dict(rows)}), action_id),
    )


def end_action(connection: PgConnection, action_id: int) -> None:
    """Record that an action came to its end."""
    connection.execute(
        "update pipeline.subject_action set ended_at = clock_timestamp() where action_id = %s",
        (action_id,),
    )


def operator() -> str:
    """The account of the operating system that runs this, not what the environment calls it."""
    try:
        import pwd
    except ImportError:  # Windows
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
