"""What QALITA stores of a source: schemas, metrics, recommendations, in the form that it shows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

import msgspec

Json = dict[str, Any]
Scope = Mapping[str, Any]
"""``{"perimeter": …, "value": …}``, with ``parent_scope`` where it is within another."""


SOURCE = "${source}"
"""The source's name in scopes and schemas: it is known when a delivery is sent."""

MARKER = "dagster_event"
"""The last of the metrics of a delivery: its value is the delivery's key."""


class Kind(str, Enum):
    """What is uploaded, in the order in which it is."""

    SCHEMAS = "schemas"
    RECOMMENDATIONS = "recommendations"
    METRICS = "metrics"


class Level(str, Enum):
    """How grave a recommendation is."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"


class Perimeter(str, Enum):
    """What a scope is."""

    DATABASE = "database"
    DATASET = "dataset"
    TABLE = "table"
    COLUMN = "column"


def scope(perimeter: Perimeter, value: str, parent: Scope | None = None) -> Json:
    """A scope as the platform writes it; SOURCE stands for the name that the source has there."""
    within: Json = {} if parent is None else {"parent_scope": dict(parent)}
    return {"perimeter": perimeter.value, "value": value, **within}


def schema(perimeter: Perimeter, value: str, parent: Scope | None = None) -> Json:
    """An entry of the tree that the platform shows of a source."""
    return {
        "key": perimeter.value,
        "value": value,
        "scope": scope(perimeter, value, parent),
    }


def metric(key: str, value: object, where: Scope) -> Json | None:
    """A metric, its value as the platform stores it; None where it is no number that there is.

    Fractions have two digits, as QALITA's own packs send them; yes and no are 1 and 0, for charts.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return {"key": key, "value": _stored(value), "scope": dict(where)}


def recommendation(text: str, kind: str, where: Scope, level: Level) -> Json:
    """Something that people should look at."""
    return {"content": text, "type": kind, "scope": dict(where), "level": level.value}


@dataclass(frozen=True)
class Content:
    """What one delivery uploads; no key and scope stands twice among the metrics."""

    schemas: Sequence[Json] = ()
    metrics: Sequence[Json] = ()
    recommendations: Sequence[Json] = ()

    def items(self, kind: Kind, source_name: str, key: str) -> list[Json]:
        """The items of one kind, as they are sent to a source; metrics with the marker."""
        found: Sequence[Json] = getattr(self, kind.value)
        if kind is Kind.METRICS and (self.metrics or self.recommendations):
            where = scope(Perimeter.DATASET, SOURCE)
            found = [*found, {"key": MARKER, "value": key, "scope": where}]
        return _named(found, source_name)


_IDENTITY = {
    Kind.SCHEMAS: ("key", "value", "scope"),
    Kind.RECOMMENDATIONS: ("content", "type", "scope", "level"),
    Kind.METRICS: ("key", "scope"),
}


def identity(kind: Kind, item: Mapping[str, Any]) -> bytes:
    """What makes two items one, the same for the JSON that was sent and that QALITA answers.

    The platform stores values as texts, so ``5`` is ``"5"``, and may show what is absent as null.
    """
    return msgspec.json.encode([_plain(item.get(name)) for name in _IDENTITY[kind]], order="sorted")


def digest(items: Sequence[Json]) -> str:
    """SHA-256 of items, whatever their order."""
    encoded = sorted(msgspec.json.encode(item, order="sorted") for item in items)
    return hashlib.sha256(b"\n".join(encoded)).hexdigest()


def _named(items: Sequence[Json], source_name: str) -> list[Json]:
    """Items with the source's name where SOURCE stands; to walk through them costs ten times it."""
    encoded = msgspec.json.encode(items)
    name = msgspec.json.encode(source_name)
    return msgspec.json.decode(encoded.replace(_SOURCE, name), type=list[Json])


_SOURCE = msgspec.json.encode(SOURCE)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        pairs = cast("Json", value).items()
        return {name: _plain(item) for name, item in pairs if item is not None}
    return str(_stored(value)) if isinstance(value, (int, float)) else value


def _stored(value: object) -> object:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(round(value, 2))
    if value is None or isinstance(value, (int, str)):
        return value
    return msgspec.json.encode(value, order="sorted").decode()
