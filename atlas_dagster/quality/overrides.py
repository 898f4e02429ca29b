"""Other thresholds for derived checks: ``missing__email: {warn: 0, fail: 5%}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from atlas_dagster.json_limits import Number
from atlas_dagster.quality.spec import Check, Limit, Operator, Rule, Threshold, Unit
from atlas_dagster.yaml_source import Node

NEVER = "never"

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_AGE = re.compile(r"(\d+(?:\.\d+)?) ?([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Override:
    """Other limits for the check of a name; a level that is not written stays as it is."""

    node: Node
    warn: Node
    fail: Node


def read_override(node: Node) -> Override:
    """Read one; raises ConfigError where neither level is written, or another key is."""
    keys = node.keys("warn", "fail")
    if keys["warn"].absent and keys["fail"].absent:
        raise node.error("expected warn, fail or both")
    return Override(node, keys["warn"], keys["fail"])


def overridden(check: Check, override: Override) -> Check:
    """A check with other limits; raises ConfigError where they do not fit it."""
    node = override.node
    if check.rule is Rule.USER:
        raise node.error(f"is a check of your own, at {check.origin}: change it there")
    threshold = Threshold(
        warn=_limit(override.warn, check, check.threshold.warn),
        fail=_limit(override.fail, check, check.threshold.fail),
    )
    _refuse_hidden_warning(node, threshold)
    origin = f"{check.origin}; thresholds: {node.file}:{node.line}"
    return replace(check, threshold=threshold, origin=origin)


def _limit(node: Node, check: Check, current: Limit | None) -> Limit | None:
    if node.absent:
        return current
    if node.value == NEVER:
        return None
    if check.rule is Rule.FRESHNESS:
        return Limit(Operator.GT, _age(node), Unit.SECONDS)
    if check.rule is Rule.ROW_COUNT:
        rows = _rows(node)
        if rows < 1:
            raise node.error(f"no table has fewer rows than {rows}; write {NEVER}")
        return Limit(Operator.LT, rows)
    return _failed_rows(node)


def _failed_rows(node: Node) -> Limit:
    percent = _PERCENT.fullmatch(node.value) if isinstance(node.value, str) else None
    if percent is None:
        return Limit(Operator.GT, _rows(node, "a number of rows, a percentage such as 5%"))
    share = _number(percent[1])
    if share >= 100:
        raise node.error(f"no more than 100% of the rows can fail; write {NEVER}")
    return Limit(Operator.GT, share, Unit.PERCENT)


def _rows(node: Node, what: str = "a number of rows") -> int:
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
        raise node.expected(f"{what}, or {NEVER}")
    return node.value


def _age(node: Node) -> Number:
    age = _AGE.fullmatch(node.value) if isinstance(node.value, str) else None
    if age is None:
        raise node.expected(f"an age, such as 90m, 36h or 2d, or {NEVER}")
    return _number(age[1]) * _SECONDS[age[2]]


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)


def _refuse_hidden_warning(node: Node, threshold: Threshold) -> None:
    """Refuse a warning that never shows, because what warns fails already."""
    warn, fail = threshold.warn, threshold.fail
    if warn is None or fail is None or warn.unit is not fail.unit:
        return
    later: Callable[[Number, Number], bool] = (
        (lambda a, b: a <= b) if warn.operator is Operator.LT else (lambda a, b: a >= b)
    )
    if later(warn.value, fail.value):
        raise node.error(
            f"would never warn: it fails at {fail.value:g} already; write warn: {NEVER},"
            " or another limit"
        )
