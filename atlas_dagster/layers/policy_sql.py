"""The SQL that applies a policy to the data of a record version.

What follows in chart (types, keys, hashes, errors) sees policed values and no others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.layers.field_sql import Change, changed_fields, value_text
from atlas_dagster.layers.policy import StreamPolicy
from atlas_dagster.pii_rules import Action

REDACTED = "<redacted>"


def policed_data(data: sql.Composable, policy: StreamPolicy) -> sql.Composable:
    """SQL: the data of a record version, a jsonb object, as a policy leaves it.

    ``data`` is cheap to repeat.
    """
    return changed_fields(data, {f.path: _change(f.action) for f in policy.fields})


def changed_policy(before: StreamPolicy, after: StreamPolicy) -> StreamPolicy:
    """What is to be done to data that one policy has been applied to, under another."""
    renewed = before.key_digest != after.key_digest
    changed = [
        f for f in after.fields if f not in before.fields or (renewed and f.action is Action.HASH)
    ]
    return replace(after, fields=tuple(changed))


def _change(action: Action) -> Change | None:
    return None if action is Action.DROP else partial(_acted, action=action)


def _acted(value: sql.Composable, action: Action) -> sql.Composable:
    """SQL: what an action leaves of a value, as jsonb; null stays null."""
    template: LiteralString
    match action:
        case Action.MASK:
            template = "to_jsonb(pipeline.pii_mask({value} #>> '{{}}'))"
        case Action.HASH:  # 5 and 5.0 are one number: joins find it by either
            template = "to_jsonb(pipeline.pii_hash({text}))"
        case _:
            template = "case when {value} <> 'null' then to_jsonb({redacted}::text) end"
    return sql.SQL("coalesce({}, 'null')").format(
        sql.SQL(template).format(
            value=value, text=value_text(value), redacted=sql.Literal(REDACTED)
        )
    )
