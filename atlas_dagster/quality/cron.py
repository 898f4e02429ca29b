"""How long at most a cron expression keeps quiet: what freshness is measured against."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTH_NAMES = "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_ITEM = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d+))?")

# Four years of days, and so every day of a month and of a week, and a leap day between two.
_FIRST_DAY = date(2023, 1, 1)
_DAYS = 4 * 366
_DAY_MINUTES = 24 * 60


@lru_cache(maxsize=1024)
def longest_gap(expression: str) -> int | None:
    """The longest time between two ticks of a cron expression, in seconds.

    It has five fields, or is one of Quartz, which begins with seconds. None where it is beyond
    this reader (``L``, ``W``, ``#``) or does not repeat. Changes of the clock are left out.
    """
    fields = _MACROS.get(expression.strip().lower(), expression).lower().split()
    quartz = len(fields) > 5
    if len(fields) < 5:
        return None
    try:
        minutes, hours, days, months, weekdays = fields[1:6] if quartz else fields
        times = [
            60 * hour + minute
            for hour in _values(hours, range(24))
            for minute in _values(minutes, range(60))
        ]
        ticking = _ticking_days(days, months, weekdays, quartz=quartz)
    except ValueError:
        return None
    return _longest(times, ticking) if times and len(ticking) > 1 else None


def _longest(times: Sequence[int], days: Sequence[int]) -> int:
    within_a_day = max((after - before for before, after in pairwise(times)), default=0)
    quiet_days = max(after - before for before, after in pairwise(days))
    return 60 * max(within_a_day, quiet_days * _DAY_MINUTES - times[-1] + times[0])


def _ticking_days(days: str, months: str, weekdays: str, *, quartz: bool) -> list[int]:
    """The days on which it ticks, counted from the first; a restricted pair is an either-or."""
    in_months = set(_values(months, range(1, 13), _MONTHS))
    on_days = set(_values(days, range(1, 32)))
    first = 1 if quartz else 0  # Sunday's number
    names = {name: number + first for name, number in _WEEKDAYS.items()}
    on_weekdays = {
        (number - first) % 7 for number in _values(weekdays, range(first, first + 7 + 1), names)
    }
    free_days, free_weekdays = days[0] in "*?", weekdays[0] in "*?"
    ticking: list[int] = []
    for index in range(_DAYS):
        day = _FIRST_DAY + timedelta(index)
        hits = (day.day in on_days, day.isoweekday() % 7 in on_weekdays)
        either = any(hits) if not (free_days or free_weekdays) else all(hits)
        if day.month in in_months and either:
            ticking.append(index)
    return ticking


def _values(field: str, allowed: range, names: Mapping[str, int] | None = None) -> list[int]:
    """The numbers that a field stands for, in order; raises ValueError where it is not one."""
    numbers: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(item)
        any_value, start, end, step = match.groups()
        if any_value:
            first, last = allowed[0], allowed[-1]
        else:
            first = _number(start, names or {})
            last = _number(end, names or {}) if end else allowed[-1] if step else first
        if first not in allowed or last not in allowed or first > last or step == "0":
            raise ValueError(item)
        numbers.update(range(first, last + 1, int(step or 1)))
    return sorted(numbers)


def _number(text: str, names: Mapping[str, int]) -> int:
    return names[text] if text in names else int(text)
