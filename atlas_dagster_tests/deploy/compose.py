"""docker-compose.yml as compose reads it: anchors merged, variables put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import Node

Json = dict[str, Any]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<plain>{_NAME})|{{(?P<name>{_NAME}))")
_OPERATOR = re.compile(r":?[-?+]")


class MissingError(Exception):
    """A variable that must be set is not."""


def load(file: Path, variables: Mapping[str, str]) -> Json:
    """The file with its variables put in; raises MissingError with the file's own sentence."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    return _interpolated(yaml.load(file.read_text()), variables)


class _Constructor(SafeConstructor):
    """With the tags by which a second file takes the place of what the first one says."""

    def override(self, node: Node) -> Any:
        return self.construct_sequence(node, deep=True)

    def reset(self, node: Node) -> None:
        return None


_Constructor.add_constructor("!override", _Constructor.override)
_Constructor.add_constructor("!reset", _Constructor.reset)


def services(file: Path, variables: Mapping[str, str]) -> dict[str, Json]:
    return load(file, variables)["services"]


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """A text with its variables put in, by the rules of the Compose Specification."""
    done = ""
    while found := _VARIABLE.search(text):
        done += text[: found.start()]
        if found["name"] is None:
            done += "$" if found["dollar"] else variables.get(found["plain"], "")
            text = text[found.end() :]
        else:
            inner, text = _to_closing_brace(text[found.end() :])
            done += _value(found["name"], inner, variables)
    return done + text


def _value(name: str, rest: str, variables: Mapping[str, str]) -> str:
    value = variables.get(name)
    operator = _OPERATOR.match(rest)
    if operator is None:
        assert not rest, f"${{{name}{rest}}}"
        return value or ""
    word = rest[operator.end() :]
    is_there = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        return interpolate(word, variables) if is_there else ""
    if is_there:
        return value or ""
    if operator[0].endswith("?"):
        raise MissingError(f"{name}: {interpolate(word, variables)}")
    return interpolate(word, variables)


def _to_closing_brace(text: str) -> tuple[str, str]:
    """What stands before the brace that closes, and what after it; braces in it come in pairs."""
    depth = 1
    for index, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[:index], text[index + 1 :]
    raise ValueError(f"no closing brace: {text}")


def _interpolated(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return interpolate(node, variables)
    if isinstance(node, dict):
        return {key: _interpolated(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolated(value, variables) for value in node]
    return node
