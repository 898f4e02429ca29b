"""The ``threshold`` of a check as Soda's contract language writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from atlas_dagster.json_limits import Number
from atlas_dagster.quality.soda_language import (
    COMPARISONS,
    FRESHNESS_UNITS,
    METRICS,
    RANGES,
    CheckType,
)
from atlas_dagster.quality.spec import Json, Limit, Operator, Threshold, Unit
from atlas_dagster.quality.user_values import json_value, number
from atlas_dagster.yaml_source import Node

_LOWER_ENDS = ("greater_than", "greater_than_or_equal")
_UPPER_ENDS = ("less_than", "less_than_or_equal")
_CONDITIONS = (*COMPARISONS, *RANGES)


class _Level(str, Enum):
    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True)
class _Scale:
    """What the numbers of a threshold count: rows, percent of rows, or so many seconds."""

    unit: Unit
    factor: int = 1


@dataclass(frozen=True)
class WrittenThreshold:
    """A threshold, and how it is written for Soda; ``metric`` is ``count`` or ``percent``."""

    threshold: Threshold
    body: Mapping[str, Json]
    metric: str = METRICS[0]


def read_threshold(node: Node, kind: CheckType) -> WrittenThreshold:
    """Read a threshold; raises ConfigError naming the file, line and key that is wrong."""
    extra = [name for name, has in (("metric", kind.has_metric), ("unit", kind.has_unit)) if has]
    keys = node.keys(*_CONDITIONS, "level", "additional", *extra)
    metric = _word(keys["metric"], METRICS) if kind.has_metric else METRICS[0]
    scale = _Scale(Unit.PERCENT if metric == "percent" else Unit.COUNT)
    if kind.has_unit:
        scale = _Scale(Unit.SECONDS, FRESHNESS_UNITS[_word(keys["unit"], _UNITS)])
    level = keys["level"].choice(_Level, _Level.FAIL)
    limits = {level: _limit(node, keys, kind, scale)}
    additional = keys["additional"]
    if not additional.absent:
        more = additional.keys(*_CONDITIONS, "level")
        other = more["level"].choice(_Level, _Level.FAIL)
        if other is level:
            raise additional.error(f"has the level {level.value}, as the threshold itself has")
        if not _conditions(keys):
            raise node.error(f"expected one of {', '.join(_CONDITIONS)} beside additional")
        limits[other] = _limit(additional, more, None, scale)
    body = json_value(node) if isinstance(node.value, Mapping) else {}
    assert isinstance(body, dict)
    threshold = Threshold(warn=limits.get(_Level.WARN), fail=limits.get(_Level.FAIL))
    return WrittenThreshold(threshold, body, metric)


_UNITS = ("hour", *(unit for unit in FRESHNESS_UNITS if unit != "hour"))  # Soda's default first


def _limit(node: Node, keys: Mapping[str, Node], kind: CheckType | None, scale: _Scale) -> Limit:
    """How the one condition of a threshold is broken; of a type's default, where none is written.

    ``kind`` is None where a default does not hold.
    """
    written = _conditions(keys)
    if not written and kind is not None and kind.default is not None:
        comparison, value = kind.default
        return _broken(comparison, value, scale)
    if len(written) != 1:
        found = " and ".join(written) or "none"
        raise node.error(f"expected exactly one of {', '.join(_CONDITIONS)}; found {found}")
    (condition,) = written
    if condition in RANGES:
        return _broken_range(keys[condition], condition, scale)
    return _broken(condition, _scaled(keys[condition], scale), scale)


def _conditions(keys: Mapping[str, Node]) -> list[str]:
    return [name for name in _CONDITIONS if not keys[name].absent]


def _broken(comparison: str, value: Number, scale: _Scale) -> Limit:
    return Limit(Operator(COMPARISONS[comparison]), value, scale.unit)


def _broken_range(node: Node, condition: str, scale: _Scale) -> Limit:
    keys = node.keys(*_LOWER_ENDS, *_UPPER_ENDS)
    above = _one_end(node, keys, _LOWER_ENDS)
    below = _one_end(node, keys, _UPPER_ENDS)
    low, high = _scaled(above, scale), _scaled(below, scale)
    if condition == "must_be_not_between":  # more than the upper end, or less than the lower
        low, high = high, low
    if low >= high:
        order = "less" if condition == "must_be_between" else "more"
        raise node.error(f"expected the number that it is greater than to be {order}")
    return Limit(Operator(RANGES[condition]), low, scale.unit, upper=high)


def _one_end(node: Node, keys: Mapping[str, Node], ends: tuple[str, ...]) -> Node:
    written = [keys[end] for end in ends if not keys[end].absent]
    if len(written) != 1:
        raise node.error(f"expected exactly one of {', '.join(ends)}")
    return written[0]


def _scaled(node: Node, scale: _Scale) -> Number:
    value = number(node)
    if scale.unit is Unit.PERCENT and not 0 <= value <= 100:
        raise node.expected("a percentage from 0 to 100")
    return value * scale.factor


def _word(node: Node, words: tuple[str, ...]) -> str:
    if node.absent:
        return words[0]
    if not isinstance(node.value, str) or node.value not in words:
        raise node.expected(f"one of {', '.join(words)}")
    return node.value
