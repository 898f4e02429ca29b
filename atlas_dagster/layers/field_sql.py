"""SQL over the fields of a record's data, a jsonb object: to change them, or to look into them.

A field is a path; in it ``[]`` stands for every item of a list, ``*`` for every key of an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.pii_rules import Path

Change: TypeAlias = Callable[[sql.Composable], sql.Composable]
"""From a value, jsonb and cheap to repeat, to what becomes of it."""
Test: TypeAlias = Callable[[sql.Composable], sql.Composable]
"""From a value as text to a condition."""

_CHANGE_EACH: dict[str, LiteralString] = {
    "[]": """case when jsonb_typeof({value}) = 'array' then (
        select coalesce(jsonb_agg({inner} order by {position}), '[]')
        from jsonb_array_elements({value}) with ordinality as {row} ({item}, {position})
    ) else {value} end""",
    "*": """case when jsonb_typeof({value}) = 'object' then (
        select coalesce(jsonb_object_agg({position}, {inner}), '{{}}')
        from jsonb_each({value}) as {row} ({position}, {item})
    ) else {value} end""",
}

_TEST_EACH: dict[str, LiteralString] = {
    "[]": """case when jsonb_typeof({value}) = 'array' then exists (
        select from jsonb_array_elements({value}) as {row} ({item}) where {inner}
    ) else false end""",
    "*": """case when jsonb_typeof({value}) = 'object' then exists (
        select from jsonb_each({value}) as {row} ({position}, {item}) where {inner}
    ) else false end""",
}


@dataclass
class _Branch:
    """What is done to a value: to the whole of it where a path ends, or to its parts."""

    change: Change | None = None
    is_end: bool = False
    parts: dict[str, _Branch] = field(default_factory=dict[str, "_Branch"])


def changed_fields(data: sql.Composable, changes: Mapping[Path, Change | None]) -> sql.Composable:
    """SQL: data with some fields changed, or dropped where the change is None.

    What is done to a whole field is done to its parts; an item that is dropped drops its list.
    ``data`` is cheap to repeat.
    """
    root = _Branch()
    for path, change in changes.items():
        kept = path
        while change is None and kept[-1:] in (("[]",), ("*",)):
            kept = kept[:-1]
        branch = _grow(root, kept)
        branch.change, branch.is_end = change, True
    return _changed(data, root, depth=0)


def holds_value(data: sql.Composable, paths: Iterable[Path], test: Test) -> sql.Composable:
    """SQL: whether a text or a number in some fields, or in what they hold, passes a test.

    Numbers are tested as text, 5.0 as 5.
    """
    root = _Branch()
    for path in paths:
        _grow(root, path).is_end = True
    return _holds(data, root, test, depth=0)


def value_text(value: sql.Composable) -> sql.Composed:
    """SQL: a jsonb value as text, 5.0 as 5; NULL for null."""
    return sql.SQL(
        """case jsonb_typeof({value})
            when 'number' then trim_scale({value}::numeric)::text
            else {value} #>> '{{}}'
        end"""
    ).format(value=value)


def _grow(root: _Branch, path: Path) -> _Branch:
    branch = root
    for part in path:
        branch = branch.parts.setdefault(part, _Branch())
    return branch


def _changed(value: sql.Composable, branch: _Branch, depth: int) -> sql.Composable:
    if branch.change is not None:
        return branch.change(value)
    for each, template in _CHANGE_EACH.items():
        if each in branch.parts:
            names = _names(depth)
            inner = _changed(names["item"], branch.parts[each], depth + 1)
            value = sql.SQL(template).format(value=value, inner=inner, **names)
    named = {name: part for name, part in branch.parts.items() if name not in _CHANGE_EACH}
    return _changed_keys(value, named, depth) if named else value


def _changed_keys(
    value: sql.Composable, parts: Mapping[str, _Branch], depth: int
) -> sql.Composable:
    changed = value
    for name, part in parts.items():
        key = sql.Literal(name)
        if part.is_end and part.change is None:
            changed = sql.SQL("({} - {}::text)").format(changed, key)
            continue
        inner = _changed(sql.SQL("({} -> {})").format(value, key), part, depth + 1)
        changed = sql.SQL("jsonb_set({}, array[{}]::text[], coalesce({}, 'null'), false)").format(
            changed, key, inner
        )
    return sql.SQL("case when jsonb_typeof({0}) = 'object' then {1} else {0} end").format(
        value, changed
    )


def _holds(value: sql.Composable, branch: _Branch, test: Test, depth: int) -> sql.Composable:
    if branch.is_end:
        return _any_inside(value, test, depth)
    found: list[sql.Composable] = []
    for name, part in branch.parts.items():
        if name in _TEST_EACH:
            names = _names(depth)
            inner = _holds(names["item"], part, test, depth + 1)
            found.append(sql.SQL(_TEST_EACH[name]).format(value=value, inner=inner, **names))
        else:
            below = sql.SQL("({} -> {})").format(value, sql.Literal(name))
            found.append(_holds(below, part, test, depth + 1))
    return sql.SQL("({})").format(sql.SQL(" or ").join(found or [sql.SQL("false")]))


def _any_inside(value: sql.Composable, test: Test, depth: int) -> sql.Composable:
    """SQL: whether a value passes, or one at any depth below it."""
    item = sql.Identifier(f"inside{depth}")
    return sql.SQL(
        """case
            when jsonb_typeof({value}) in ('string', 'number') then {passes}
            when jsonb_typeof({value}) in ('object', 'array') then exists (
                select from jsonb_path_query({value}, 'strict $.**') as {row} ({item})
                where jsonb_typeof({item}) in ('string', 'number') and {inner}
            )
            else false
        end"""
    ).format(
        value=value,
        passes=test(value_text(value)),
        row=sql.Identifier(f"row{depth}"),
        item=item,
        inner=test(value_text(item)),
    )


def _names(depth: int) -> dict[str, sql.Identifier]:
    return {name: sql.Identifier(f"{name}{depth}") for name in ("item", "position", "row")}
