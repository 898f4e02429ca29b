"""What QALITA stores of a source: schemas, metrics, recommendations, in the form that it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

Json = dict[str, Any]
Scope = Mapping[str, Any]
"""``{"perimeter": …, "value": …}``, with ``parent_scope`` where it is within another."""


class Kind(str, Enum):
    """What is uploaded, in the order of QALITA's own client; the metrics end with the marker."""

    RECOMMENDATIONS = "recommendations"
    SCHEMAS = "schemas"
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
    """A scope as the platform writes it."""
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

    def items(self, kind: Kind) -> Sequence[Json]:
        """The items of one kind."""
        found: Sequence[Json] = getattr(self, kind.value)
        return found


def identity(item: Mapping[str, Any], fields: Iterable[str]) -> bytes:
    """An item by some of its fields, the same for the JSON that it was and that QALITA stored.

    The platform stores values as texts, so ``5`` is ``"5"`` here.
    """
    return msgspec.json.encode([_plain(item.get(name)) for name in fields], order="sorted")


def _plain(value: object) -> object:
    return str(_stored(value)) if isinstance(value, (int, float)) else value


def _stored(value: object) -> object:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(round(value, 2))
    if value is None or isinstance(value, (int, str)):
        return value
    return msgspec.json.encode(value, order="sorted").decode()
