"""One check of a user's file, in Soda's contract language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atlas_dagster.quality.check_names import name_part
from atlas_dagster.quality.soda_language import (
    ATTRIBUTES,
    CHECK_TYPES,
    EVERYWHERE,
    MISSING_KEYS,
    NO_TYPES,
    NOT_HERE,
    VALIDITY_KEYS,
    CheckType,
)
from atlas_dagster.quality.spec import Check, Dimension, Json, Rule, UserParameters
from atlas_dagster.quality.user_scope import UserScope
from atlas_dagster.quality.user_thresholds import WrittenThreshold, read_threshold
from atlas_dagster.quality.user_values import VALUES, refuse_crossed_bounds
from atlas_dagster.yaml_source import Node, suggestion

_GROUPS = (("column_expression",), MISSING_KEYS, VALIDITY_KEYS)


@dataclass(frozen=True)
class WrittenCheck:
    """A check of the user's, where it stands, and which keys of its column it has taken over."""

    check: Check
    node: Node
    taken: frozenset[str] = frozenset()


def known_keys(node: Node, known: Iterable[str]) -> Mapping[str, Node]:
    """The entries of a mapping; raises ConfigError on a key that is not known, and says why."""
    for key, entry in node.mapping().items():
        if key in known:
            continue
        reason = NOT_HERE.get(key)
        raise entry.error(reason or f"unknown key; {suggestion(key, known)}")
    return node.mapping()


def read_check(
    item: Node,
    scope: UserScope,
    column: str | None = None,
    around: Mapping[str, Node] | None = None,
) -> WrittenCheck:
    """Read an item of ``checks``; ``around`` are the keys of its column.

    Raises ConfigError naming the file, line and key that is wrong.
    """
    name, node, kind = _typed(item, column)
    allowed = (*EVERYWHERE, *(key for key in kind.keys if _has_effect(key, name, column)))
    keys = known_keys(node, allowed)
    inherited = _inherited(keys, allowed, around or {})
    written = {**inherited, **keys}
    body = {key: _read(key, entry, scope) for key, entry in written.items() if key != "threshold"}
    if "threshold" in keys and keys["threshold"].absent:
        raise keys["threshold"].expected("a mapping")
    unwritten = Node(node.file, f"{node.path}.threshold", node.line, None)
    threshold = read_threshold(keys.get("threshold", unwritten), kind)
    needed, what = _NEEDED.get(name, ("", ""))
    if needed in allowed and needed not in keys:
        raise node.error(f"expected {what}")
    _refuse_contradictions(name, node, written, threshold)
    if threshold.body:
        body["threshold"] = dict(threshold.body)
    check = _check(name, kind, node, body, column, threshold)
    return WrittenCheck(check, node, frozenset(inherited))


def _typed(item: Node, column: str | None) -> tuple[str, Node, CheckType]:
    """The type of a check, what stands under it, and what the type is like."""
    if isinstance(item.value, str):
        raise item.error(f"expected a mapping: write {item.value}: (with a colon)")
    entries = item.mapping()
    if len(entries) != 1:
        found = ", ".join(entries) or "none"
        raise item.error(f"expected one key, the type of the check; found {found}")
    ((name, node),) = entries.items()
    kind = CHECK_TYPES.get(name)
    if kind is None:
        told = NO_TYPES.get(name) or f"unknown check type; {suggestion(name, CHECK_TYPES)}"
        raise node.error(told)
    if column is None and not kind.on_table:
        raise node.error("is a check of a column: it stands under columns, in checks of one")
    if column is not None and not kind.on_column:
        raise node.error("is no check of a column: it stands under checks, at the top of the file")
    return name, node, kind


def _has_effect(key: str, kind: str, column: str | None) -> bool:
    """Whether a key of a type has an effect where the check stands."""
    if kind != "duplicate":
        return True
    return (key == "columns") is (column is None)


def _inherited(
    keys: Mapping[str, Node], allowed: Iterable[str], around: Mapping[str, Node]
) -> dict[str, Node]:
    """The keys of the column that hold for a check: a group of them, where it has none of it."""
    taken: dict[str, Node] = {}
    for group in _GROUPS:
        if not any(key in keys for key in group):
            taken |= {key: around[key] for key in group if key in around and key in allowed}
    return taken


def _read(key: str, node: Node, scope: UserScope) -> Json:
    match key:
        case "attributes":
            return _attributes(node)
        case "column":
            return scope.column(node)
        case "columns":
            return scope.columns(node)
        case "valid_reference_data":
            return scope.reference(node)
        case _:
            return VALUES[key](node)


def _attributes(node: Node) -> Json:
    keys = node.keys(*ATTRIBUTES)
    dimension = keys["dimension"].choice(Dimension, Dimension.VALIDITY).value
    described = keys["description"]
    return {
        **({} if keys["dimension"].absent else {"dimension": dimension}),
        **({} if described.absent else {"description": described.text()}),
    }


_NEEDED = {
    "aggregate": ("function", "a function, such as function: avg"),
    "duplicate": ("columns", "columns, a list of those that are one key together"),
    "freshness": ("column", "a column, whose newest value is not to be old"),
}


def _refuse_contradictions(
    kind: str, node: Node, keys: Mapping[str, Node], threshold: WrittenThreshold
) -> None:
    """Refuse what Soda would take and leave unchecked."""
    refuse_crossed_bounds(keys)
    if kind == "invalid":
        _refuse_no_validity(node, keys)
    if kind in ("metric", "failed_rows"):
        _refuse_other_queries(node, keys, threshold)


def _refuse_no_validity(node: Node, keys: Mapping[str, Node]) -> None:
    named = [key for key in VALIDITY_KEYS if key in keys]
    if not named:
        raise node.error(f"expected what is valid: one of {', '.join(VALIDITY_KEYS)}")
    if "valid_reference_data" in named and len(named) > 1:
        raise keys["valid_reference_data"].error(
            "stands alone in a check: Soda would not count what else is invalid"
        )


def _refuse_other_queries(
    node: Node, keys: Mapping[str, Node], threshold: WrittenThreshold
) -> None:
    if ("expression" in keys) is ("query" in keys):
        raise node.error("expected either an expression or a query")
    tested = keys.get("rows_tested_query")
    if tested and "query" not in keys:
        raise tested.error("has an effect beside query only")
    if threshold.metric == "percent" and "query" in keys and tested is None:
        raise node.error("expected rows_tested_query: percent of a query needs to know of how many")


def _check(
    kind: str,
    type_: CheckType,
    node: Node,
    body: Mapping[str, Json],
    column: str | None,
    threshold: WrittenThreshold,
) -> Check:
    columns = _columns(body, column)
    attributes = body.get("attributes")
    told = attributes if isinstance(attributes, dict) else {}
    description = told.get("description") or body.get("name") or _described(kind, columns)
    return Check(
        name=_name(kind, body, columns),
        rule=Rule.USER,
        dimension=Dimension(told.get("dimension", type_.dimension.value)),
        columns=columns,
        description=str(description),
        origin=f"{node.file}:{node.line}",
        threshold=threshold.threshold,
        parameters=UserParameters(kind, body, column),
    )


def _columns(body: Mapping[str, Json], column: str | None) -> tuple[str, ...]:
    if column is not None:
        return (column,)
    listed = body.get("columns", [body["column"]] if "column" in body else [])
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()


def _described(kind: str, columns: tuple[str, ...]) -> str:
    return f"{kind} of {', '.join(columns)}" if columns else kind


def _name(kind: str, body: Mapping[str, Json], columns: tuple[str, ...]) -> str:
    """``user__`` and the name that the user gave it, else its type, columns and qualifier."""
    if "name" in body:
        given = str(body["name"])
        parts = [re.sub(r"[^A-Za-z0-9]+", "_", given).strip("_") or name_part(given)]
    else:
        parts = [kind, *map(name_part, columns)]
    if "qualifier" in body:
        parts.append(name_part(str(body["qualifier"])))
    return "__".join(["user", *parts])
