"""The values of a user's checks, each read as what it must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from atlas_dagster.json_limits import Number
from atlas_dagster.quality.soda_language import AGGREGATES
from atlas_dagster.quality.spec import Json
from atlas_dagster.yaml_source import Node, suggestion

_VARIABLE = re.compile(r"\$\{ *[a-z]+\.[a-zA-Z_][a-zA-Z_0-9]* *\}")  # as Soda finds them


def refuse_variables(node: Node) -> None:
    """Raise ConfigError where a text has a variable of Soda's, which may be of the environment."""
    if isinstance(node.value, Mapping):
        for entry in node.value.values():
            refuse_variables(entry)
    elif isinstance(node.value, tuple):
        for item in node.value:
            refuse_variables(item)
    elif isinstance(node.value, str) and (found := _VARIABLE.search(node.value)):
        raise node.error(f"there are no variables; write the value instead of {found[0]}")


def json_value(node: Node) -> Json:
    """What stands in the file, as JSON."""
    if isinstance(node.value, Mapping):
        return {key: json_value(entry) for key, entry in node.value.items()}
    if isinstance(node.value, tuple):
        return [json_value(item) for item in node.value]
    return node.value


def number(node: Node) -> Number:
    """A number; raises ConfigError on anything else."""
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        raise node.expected("a number")
    return node.value


def _length(node: Node) -> Json:
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
        raise node.expected("a whole number, 0 or more")
    return node.value


def _values(node: Node) -> Json:
    if not node.items():
        raise node.expected("a list of at least one value")
    for item in node.items():
        if item.value is None:
            raise item.error("null is not a value: a missing one is counted by missing")
        if isinstance(item.value, (Mapping, tuple)):
            raise item.expected("a text, a number, true or false")
    return json_value(node)


def _format(node: Node) -> Json:
    keys = node.keys("regex", "name")
    regex = keys["regex"].text("a regular expression")
    name = "format" if keys["name"].absent else keys["name"].text()
    return {"regex": regex, "name": name}  # Soda asks for a name


def _text(node: Node) -> Json:
    return node.text().strip()


def _function(node: Node) -> Json:
    name = node.text(f"one of {', '.join(AGGREGATES)}")
    if name not in AGGREGATES:
        raise node.error(f"unknown function; {suggestion(name, AGGREGATES)}")
    return name


def _qualifier(node: Node) -> Json:
    if isinstance(node.value, (Mapping, tuple)) or node.absent:
        raise node.expected("a text")
    return str(node.value)


VALUES: Mapping[str, Callable[[Node], Json]] = {
    "name": _text,
    "qualifier": _qualifier,
    "filter": _text,
    "column_expression": _text,
    "expression": _text,
    "query": _text,
    "rows_tested_query": _text,
    "function": _function,
    "missing_values": _values,
    "missing_format": _format,
    "valid_values": _values,
    "invalid_values": _values,
    "valid_format": _format,
    "invalid_format": _format,
    "valid_min": number,
    "valid_max": number,
    "valid_length": _length,
    "valid_min_length": _length,
    "valid_max_length": _length,
}
"""How the value of a key is read; the others need to know more than their node."""


def refuse_crossed_bounds(keys: Mapping[str, Node]) -> None:
    """Raise ConfigError where no value can be both, such as ``valid_min: 5`` and ``valid_max: 4``.

    The bounds are read before.
    """
    for low, high in (("valid_min", "valid_max"), ("valid_min_length", "valid_max_length")):
        if low in keys and high in keys and number(keys[low]) > number(keys[high]):
            raise keys[low].error(f"is more than {high}: no value is valid")
