"""What a measurement means for a check: its status, its ratio, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from atlas_dagster.counted import counted
from atlas_dagster.json_limits import Number
from atlas_dagster.quality.spec import Check, Limit, Operator, Outcome, Rule, Status, Unit

NO_ROWS = "no rows to test"

_THINGS = {
    Rule.SCHEMA: "columns",
    Rule.RECORD_COUNT: "records",
    Rule.HISTORY: "segments",
}

_BREAKS = {
    Operator.GT: "more than {}",
    Operator.GTE: "{} or more",
    Operator.LT: "less than {}",
    Operator.LTE: "{} or less",
    Operator.EQ: "{}",
    Operator.NE: "other than {}",
}

_USER_RATIOS = {Status.PASS: 1.0, Status.WARN: 0.5, Status.FAIL: 0.0}


@dataclass(frozen=True)
class Measured:
    """What a scan found: a value, or how many of the tested rows failed; ``note`` says which."""

    value: float | None = None
    tested: int | None = None
    failed: int | None = None
    note: str = ""


def judge(check: Check, measured: Measured) -> Outcome:
    """The outcome of a check by its own threshold; what tested nothing was not checked."""
    if measured.value is None and (not measured.tested or measured.failed is None):
        return not_checked(check, measured.note or NO_ROWS, measured.tested)
    status = _status(check, measured)
    return judged(check, measured, status, describe(check, measured, status))


def judged(check: Check, measured: Measured, status: Status, message: str) -> Outcome:
    """The outcome of a check whose status is known."""
    value = measured.value
    if value is None and measured.failed is not None:
        value = float(measured.failed)
    return Outcome(
        check,
        status,
        value,
        measured.tested,
        measured.failed,
        ratio(check, status, measured),
        message,
    )


def not_checked(check: Check, why: str, tested: int | None = None) -> Outcome:
    """The outcome of a check that had nothing to test; never a pass."""
    return Outcome(check, Status.NOT_CHECKED, tested=tested, message=why)


def failed_to_run(check: Check, why: str) -> Outcome:
    """The outcome of a check that could not be evaluated; never a pass."""
    return Outcome(check, Status.ERROR, message=why)


def ratio(check: Check, status: Status, measured: Measured) -> float | None:
    """How good it is, from 0 to 1; None where nothing was tested, or only the status counts."""
    if status in (Status.ERROR, Status.NOT_CHECKED) or check.rule is Rule.ROW_COUNT:
        return None
    if check.rule is Rule.FRESHNESS:
        return _freshness_ratio(check, measured.value)
    if measured.failed is not None and measured.tested:
        return min(1.0, max(0.0, 1 - measured.failed / measured.tested))
    return _USER_RATIOS[status] if check.rule is Rule.USER else None


def describe(check: Check, measured: Measured, status: Status) -> str:
    """What was found, and which limit it breaks: one sentence."""
    found = _found(check, measured)
    if status is Status.FAIL and check.threshold.fail is not None:
        return f"{found}; {limit_text(check.threshold.fail)} fails"
    if status is Status.WARN and check.threshold.warn is not None:
        return f"{found}; {limit_text(check.threshold.warn)} warns"
    return found


def limit_text(limit: Limit) -> str:
    """What breaks a limit, in words: ``more than 5 %``."""
    if limit.operator is Operator.OUTSIDE:
        return f"not within {_amount(limit.value, limit.unit)} to {_upper(limit)}"
    if limit.operator is Operator.INSIDE:
        return f"within {_amount(limit.value, limit.unit)} to {_upper(limit)}"
    return _BREAKS[limit.operator].format(_amount(limit.value, limit.unit))


def _freshness_ratio(check: Check, age: float | None) -> float | None:
    limit = check.threshold.warn or check.threshold.fail
    if limit is None or age is None:
        return None
    return 1.0 if age <= limit.value else max(0.0, limit.value / age)


def _status(check: Check, measured: Measured) -> Status:
    for status, limit in ((Status.FAIL, check.threshold.fail), (Status.WARN, check.threshold.warn)):
        if limit is not None and _breaks(limit, _quantity(limit, measured)):
            return status
    return Status.PASS


def _quantity(limit: Limit, measured: Measured) -> float:
    if measured.value is not None:
        return measured.value
    assert measured.failed is not None
    assert measured.tested
    if limit.unit is Unit.PERCENT:
        return 100 * measured.failed / measured.tested
    return measured.failed


def _breaks(limit: Limit, quantity: float) -> bool:
    upper = limit.value if limit.upper is None else limit.upper
    match limit.operator:
        case Operator.GT:
            return quantity > limit.value
        case Operator.GTE:
            return quantity >= limit.value
        case Operator.LT:
            return quantity < limit.value
        case Operator.LTE:
            return quantity <= limit.value
        case Operator.EQ:
            return quantity == limit.value
        case Operator.NE:
            return quantity != limit.value
        case Operator.OUTSIDE:
            return not limit.value <= quantity <= upper
        case Operator.INSIDE:
            return limit.value <= quantity <= upper


def _found(check: Check, measured: Measured) -> str:
    if measured.note:
        return measured.note
    if check.rule is Rule.FRESHNESS and measured.value is not None:
        return f"the newest is {_duration(measured.value)} old"
    if check.rule is Rule.ROW_COUNT and measured.value is not None:
        return counted(round(measured.value), "row")
    if measured.failed is None or not measured.tested:
        return f"{measured.value:,g}"
    things = _THINGS.get(check.rule, "rows")
    share = 100 * measured.failed / measured.tested
    return f"{measured.failed:,} of {measured.tested:,} {things} ({share:.3g} %)"


def _upper(limit: Limit) -> str:
    return _amount(limit.value if limit.upper is None else limit.upper, limit.unit)


def _amount(value: Number, unit: Unit) -> str:
    if unit is Unit.SECONDS:
        return _duration(value)
    return f"{value:,g} %" if unit is Unit.PERCENT else f"{value:,g}"


def _duration(seconds: float) -> str:
    """Seconds in the two largest units that they fill: ``2 d 3 h``."""
    left = round(abs(seconds))
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return ("-" if seconds <= -0.5 else "") + " ".join(parts[:2])
