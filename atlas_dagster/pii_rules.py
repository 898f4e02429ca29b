"""What happens to personal data on its way to chart: the ``pii`` keys of ``config/atlas.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path as File
from typing import TypeAlias

from atlas_dagster.pii_entities import refuse_unknown_entities
from atlas_dagster.yaml_source import Node

Path: TypeAlias = tuple[str, ...]
"""A field: its name, or the names that lead to it; `[]` is any item of a list, `*` any key."""

_ENTITY = re.compile(r"[A-Z][A-Z0-9_]*")


class Action(str, Enum):
    """What is done to a value; each is stricter than those before it."""

    KEEP = "keep"
    MASK = "mask"
    HASH = "hash"
    REDACT = "redact"
    DROP = "drop"
    FAIL = "fail"

    @property
    def strictness(self) -> int:
        return list(Action).index(self)


class Scope(str, Enum):
    """Whose fields the rules of a ``pii`` key are about."""

    ALL = "all"
    CONNECTION = "connection"
    STREAM = "stream"


@dataclass(frozen=True)
class PiiRules:
    """The rules of one scope.

    ``columns`` are fields as people write them: ``email``, ``address.street``, ``phones[]``.
    ``entities`` are Presidio's names. ``default`` is for what is found and not named.
    """

    default: Action | None = None
    entities: Mapping[str, Action] = field(default_factory=dict[str, Action])
    columns: Mapping[str, Action] = field(default_factory=dict[str, Action])
    scope: Scope = Scope.STREAM


@dataclass(frozen=True)
class Decision:
    """What is done to a field; ``is_expected``: a rule names the field or what is found in it."""

    action: Action
    is_expected: bool


@dataclass(frozen=True)
class PiiPolicy:
    """The rules of a stream, those of its connection, those of all: what is nearer decides."""

    scopes: tuple[PiiRules, ...] = ()

    @property
    def columns(self) -> dict[str, Action]:
        """The fields that rules name, whether or not anything is found in them."""
        named: dict[str, Action] = {}
        for scope in reversed(self.scopes):
            named.update(scope.columns)
        return named

    def named_in(self, scope: Scope) -> tuple[str, ...]:
        """The fields that the rules of one scope name."""
        return tuple(name for each in self.scopes if each.scope is scope for name in each.columns)

    def decide(self, name: str, entities: Iterable[str]) -> Decision:
        """What is done to a field, given what was found in it: the strictest of its entities."""
        named = self.columns.get(name)
        if named is not None:
            return Decision(named, is_expected=True)
        decisions = [self._for_entity(entity) for entity in entities]
        return Decision(
            max((d.action for d in decisions), key=lambda a: a.strictness, default=Action.KEEP),
            is_expected=all(d.is_expected for d in decisions),
        )

    def _for_entity(self, entity: str) -> Decision:
        for scope in self.scopes:
            if entity in scope.entities:
                return Decision(scope.entities[entity], is_expected=True)
            if scope.default is not None:
                return Decision(scope.default, is_expected=False)
        return Decision(Action.KEEP, is_expected=False)


def field_name(path: Iterable[str]) -> str:
    """A path as people write it: ``("phones", "[]", "number")`` is ``phones[].number``."""
    name = ""
    for part in path:
        name += part if part == "[]" or not name else f".{part}"
    return name


def field_path(name: str) -> tuple[str, ...]:
    """The path that a name stands for; the reverse of `field_name`."""
    parts = re.findall(r"\[\]|[^.\[\]]+(?:\[(?!\])[^.]*)?", name)
    return tuple(parts)


def read_pii_rules(node: Node, scope: Scope, recognizers_file: File) -> PiiRules:
    """Read a ``pii`` key; raises ConfigError naming the file, line and key that is wrong.

    An entity may be one that a recognizer of ``recognizers_file`` finds.
    """
    keys = node.keys("default", "entities", "columns")
    default = keys["default"]
    entities, columns = keys["entities"].mapping(), keys["columns"].mapping()
    rules = PiiRules(
        default=None if default.absent else _action(default),
        entities={_entity(name, item): _action(item) for name, item in entities.items()},
        columns={_column(name, item): _action(item) for name, item in columns.items()},
        scope=scope,
    )
    refuse_unknown_entities(entities, recognizers_file)
    return rules


def _action(node: Node) -> Action:
    if node.absent:
        raise node.expected(f"one of {', '.join(action.value for action in Action)}")
    return node.choice(Action, Action.KEEP)


def _entity(name: str, node: Node) -> str:
    if not _ENTITY.fullmatch(name):
        raise node.error("expected the name of an entity, such as EMAIL_ADDRESS")
    return name


def _column(name: str, node: Node) -> str:
    if not name or field_name(field_path(name)) != name:
        raise node.error("expected a field, such as email, address.street or phones[].number")
    return name
