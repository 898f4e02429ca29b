"""The SQL that applies a policy to the data of a record version.

What follows in chart (types, keys, hashes, errors) sees policed values and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.layers.policy import FieldPolicy, StreamPolicy
from atlas_dagster.pii_rules import Action

REDACTED = "<redacted>"

_EACH: dict[str, LiteralString] = {
    "[]": """case when jsonb_typeof({value}) = 'array' then (
        select coalesce(jsonb_agg({inner} order by {position}), '[]')
        from jsonb_array_elements({value}) with ordinality as {row} ({item}, {position})
    ) else {value} end""",
    "*": """case when jsonb_typeof({value}) = 'object' then (
        select coalesce(jsonb_object_agg({position}, {inner}), '{{}}')
        from jsonb_each({value}) as {row} ({position}, {item})
    ) else {value} end""",
}


@dataclass
class _Branch:
    """What is done to a value: to the whole of it, or to what lies below its parts."""

    action: Action | None = None
    parts: dict[str, _Branch] = field(default_factory=dict[str, "_Branch"])


def policed_data(data: sql.Composable, policy: StreamPolicy) -> sql.Composable:
    """SQL: the data of a record version, a jsonb object, as a policy leaves it.

    ``data`` is cheap to repeat.
    """
    return _policed(data, _tree(policy.fields), depth=0)


def changed_policy(before: StreamPolicy, after: StreamPolicy) -> StreamPolicy:
    """What is to be done to data that one policy has been applied to, under another."""
    renewed = before.key_digest != after.key_digest
    changed = [
        f for f in after.fields if f not in before.fields or (renewed and f.action is Action.HASH)
    ]
    return replace(after, fields=tuple(changed))


def _tree(fields: Iterable[FieldPolicy]) -> _Branch:
    root = _Branch()
    for policy in fields:
        branch = root
        path = policy.path
        while policy.action is Action.DROP and path[-1:] in (("[]",), ("*",)):
            path = path[:-1]  # without its items a list is dropped
        for part in path:
            branch = branch.parts.setdefault(part, _Branch())
        branch.action = policy.action
    return root


def _policed(value: sql.Composable, branch: _Branch, depth: int) -> sql.Composable:
    if branch.action is not None:
        return _acted(value, branch.action)
    for each in _EACH:
        if each in branch.parts:
            value = _policed_items(value, each, branch.parts[each], depth)
    named = {name: part for name, part in branch.parts.items() if name not in _EACH}
    return _policed_keys(value, named, depth) if named else value


def _policed_items(value: sql.Composable, each: str, branch: _Branch, depth: int) -> sql.Composable:
    item, position, row = (sql.Identifier(f"{name}{depth}") for name in ("item", "at", "row"))
    return sql.SQL(_EACH[each]).format(
        value=value,
        inner=_policed(item, branch, depth + 1),
        item=item,
        position=position,
        row=row,
    )


def _policed_keys(
    value: sql.Composable, parts: Mapping[str, _Branch], depth: int
) -> sql.Composable:
    changed = value
    for name, part in parts.items():
        key = sql.Literal(name)
        if part.action is Action.DROP:
            changed = sql.SQL("({} - {}::text)").format(changed, key)
            continue
        inner = _policed(sql.SQL("({} -> {})").format(value, key), part, depth + 1)
        changed = sql.SQL("jsonb_set({}, array[{}]::text[], coalesce({}, 'null'), false)").format(
            changed, key, inner
        )
    return sql.SQL("case when jsonb_typeof({0}) = 'object' then {1} else {0} end").format(
        value, changed
    )


def _acted(value: sql.Composable, action: Action) -> sql.Composable:
    """SQL: what an action leaves of a value, as jsonb; null stays null."""
    template: LiteralString
    match action:
        case Action.MASK:
            template = "to_jsonb(pipeline.pii_mask({value} #>> '{{}}'))"
        case Action.HASH:  # 5 and 5.0 are one number: joins find it by either
            template = """to_jsonb(pipeline.pii_hash(
        case jsonb_typeof({value})
            when 'number' then trim_scale({value}::numeric)::text
            else {value} #>> '{{}}'
        end
    ))"""
        case _:
            template = "case when {value} <> 'null' then to_jsonb({redacted}::text) end"
    return sql.SQL("coalesce({}, 'null')").format(
        sql.SQL(template).format(value=value, redacted=sql.Literal(REDACTED))
    )
