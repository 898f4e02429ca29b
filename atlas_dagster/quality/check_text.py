"""Checks as people and programs read them: a limit in words, a contract as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from atlas_dagster.json_limits import Number
from atlas_dagster.quality.contract import Contract
from atlas_dagster.quality.spec import Check, Limit, Operator, Outcome, Rule, Unit

_SIGNS = {
    Operator.GT: "> {}",
    Operator.GTE: ">= {}",
    Operator.LT: "< {}",
    Operator.LTE: "<= {}",
    Operator.EQ: "= {}",
    Operator.NE: "not {}",
    Operator.OUTSIDE: "not {} to {}",
    Operator.INSIDE: "{} to {}",
}
_AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_HEAD = ("CHECK", "DIMENSION", "WARNS", "FAILS", "FROM")


def limit_text(limit: Limit | None) -> str:
    """When a check warns or fails, in short: ``> 5 %``, ``> 36h``; a dash where never."""
    if limit is None:
        return "-"
    ends = [_amount(limit.value, limit.unit)]
    if limit.upper is not None:
        ends.append(_amount(limit.upper, limit.unit))
    return _SIGNS[limit.operator].format(*ends)


def contract_lines(contract: Contract, not_checked: Sequence[Outcome]) -> Iterator[str]:
    """A contract as a table, and below it what is not checked, and why."""
    rows = [_HEAD, *(_row(check) for check in contract.checks)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD) - 1)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield "  ".join([*cells, row[-1]])
    for check in contract.disabled:
        yield f"{check.name} is disabled"
    for outcome in not_checked:
        yield f"{outcome.check.name} is not checked: {outcome.message}"


def contract_json(contract: Contract, not_checked: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A contract as JSON: each check, and whether it is made."""
    reasons = {outcome.check.name: outcome.message for outcome in not_checked}
    return [
        *(_json(check, reasons.get(check.name)) for check in contract.checks),
        *(_json(check, "disabled") for check in contract.disabled),
    ]


def _row(check: Check) -> tuple[str, ...]:
    warn, fail = check.threshold.warn, check.threshold.fail
    return (check.name, check.dimension.value, limit_text(warn), limit_text(fail), check.origin)


def _json(check: Check, not_checked: str | None) -> dict[str, Any]:
    body: Mapping[str, Any] = asdict(check)
    own = check.rule is Rule.USER
    return {**body, "layer": check.layer, "is_derived": not own, "not_checked": not_checked}


def _amount(value: Number, unit: Unit) -> str:
    if unit is Unit.PERCENT:
        return f"{value:g} %"
    if unit is Unit.COUNT:
        return f"{value:,}"
    size, letter = next(((s, n) for s, n in _AGES if value >= 2 * s or s == 1))
    return f"{value / size:g}{letter}"
