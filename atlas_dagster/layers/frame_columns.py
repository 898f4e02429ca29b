"""The columns of a DataFrame out of PostgreSQL's values. Imports pandas: import this lazily.

=========================== ==============================================
PostgreSQL                  pandas, null as
=========================== ==============================================
bigint, integer, smallint   Int64, Int32, Int16, NA
real, double precision      Float32, Float64, NA
boolean                     boolean, NA
varchar, text, uuid, others string, NA
timestamptz                 datetime64[us, UTC], NaT
timestamp                   datetime64[us], NaT
numeric                     object: exact Decimals, None
date, time, timetz          object: Python's date and time, None
jsonb                       object: dict, list, str, int, float, bool, None;
                            a Decimal for numbers that float cannot hold
=========================== ==============================================
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias, cast

import msgspec
import numpy as np
import pandas as pd  # pyright: ignore[reportMissingTypeStubs]
from psycopg.types.json import set_json_loads
from psycopg.types.numeric import Int4BinaryLoader, Int8BinaryLoader

_Objects: TypeAlias = Any  # a one-dimensional numpy array of Python objects
_Build: TypeAlias = Callable[[_Objects], Any]

# PostgreSQL counts from 2000-01-01, numpy from 1970-01-01.
_DAYS = 10_957
_DAY = 86_400_000_000  # microseconds

# Python's dates end here; in days since 2000.
_YEAR_1, _YEAR_10000 = -730_119, 2_921_940

# What stands for infinity, by the counts of a day.
_NEVER = {1: 2**31 - 1, _DAY: 2**63 - 1}

# Python converts no longer ones, which would take it quadratic time.
_MOST_DIGITS = 4300

_TEXT = pd.StringDtype("python")


def reads_as_text(postgres_type: str) -> bool:
    """Whether a type, as PostgreSQL spells it, has none of its own in pandas."""
    return _unlimited(postgres_type) not in _BUILDERS


def use_fast_loaders(cursor: Any) -> None:
    """Let a binary cursor give instants and days as the integers that they are stored as."""
    for name in ("timestamptz", "timestamp"):
        cursor.adapters.register_loader(name, Int8BinaryLoader)
    cursor.adapters.register_loader("date", Int4BinaryLoader)
    set_json_loads(_load_json, cursor)


def build_frame(rows: Sequence[Sequence[Any]], types: Mapping[str, str]) -> pd.DataFrame:
    """A DataFrame of rows; ``types`` are those of its columns, in order.

    Raises ValueError naming the column whose value is beyond what Python's types hold.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(types)
    series = {
        name: _series(name, kind, np.fromiter(values, dtype=object, count=len(rows)))
        for (name, kind), values in zip(types.items(), columns, strict=True)
    }
    return pd.DataFrame(series, index=pd.RangeIndex(len(rows)), copy=False)


def join_frames(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames of the same columns as one, column by column: the parts are given up as it goes."""
    if len(frames) == 1:
        return frames[0]
    joined = {
        name: pd.concat([frame.pop(name) for frame in frames], ignore_index=True)
        for name in list(frames[0].columns)
    }
    return pd.DataFrame(joined, copy=False)


def _series(name: str, postgres_type: str, values: _Objects) -> Any:
    build = _BUILDERS.get(_unlimited(postgres_type), _text)
    try:
        return pd.Series(build(values), copy=False)
    except ValueError as error:
        raise ValueError(f"{name} has {error}") from None


def _unlimited(postgres_type: str) -> str:
    """``numeric(10,2)`` is numeric, ``timestamp(3) with time zone`` one with time zone."""
    return re.sub(r"\(.*?\)", "", postgres_type)


def _text(values: _Objects) -> Any:
    return pd.array(values, dtype=_TEXT)


def _objects(values: _Objects) -> Any:
    return pd.Series(values, dtype=object, copy=False)  # else texts of jsonb would become strings


def _integers(bits: int) -> _Build:
    def build(values: _Objects) -> Any:
        filled, missing = _filled(values, 0)
        return pd.arrays.IntegerArray(filled.astype(f"int{bits}"), missing)

    return build


def _floats(bits: int) -> _Build:
    def build(values: _Objects) -> Any:
        filled, missing = _filled(values, 0.0)
        return pd.arrays.FloatingArray(filled.astype(f"float{bits}"), missing)

    return build


def _booleans(values: _Objects) -> Any:
    filled, missing = _filled(values, False)
    return pd.arrays.BooleanArray(filled.astype(bool), missing)


def _instants(values: _Objects) -> Any:
    filled, missing = _filled(values, 0)
    counts = filled.astype("int64")
    _refuse_beyond(counts, _DAY)
    instants = (counts + _DAYS * _DAY).view("datetime64[us]")
    instants[missing] = np.datetime64("NaT")
    return pd.DatetimeIndex(instants)


def _utc_instants(values: _Objects) -> Any:
    return _instants(values).tz_localize("UTC")


def _dates(values: _Objects) -> Any:
    filled, missing = _filled(values, 0)
    counts = filled.astype("int64")
    _refuse_beyond(counts, 1)
    dates = (counts + _DAYS).view("datetime64[D]").astype(object)
    dates[missing] = None
    return _objects(dates)


def _refuse_beyond(counts: _Objects, day: int) -> None:
    """Raise ValueError for infinity, and for what is outside the years 1 to 9999.

    ``counts`` are since 2000, of which a day has ``day``.
    """
    beyond = counts[(counts < _YEAR_1 * day) | (counts >= _YEAR_10000 * day)]
    if not len(beyond):
        return
    value = int(beyond[0])
    if value in (_NEVER[day], -_NEVER[day] - 1):
        raise ValueError("infinity" if value > 0 else "-infinity")
    days = np.datetime64(value // day + _DAYS, "D")
    raise ValueError(f"{days}, and years go from 1 to 9999")


def _filled(values: _Objects, filler: Any) -> tuple[_Objects, Any]:
    """The values with something in place of None, and where that was."""
    missing = np.equal(values, cast("Any", None)).astype(bool)
    if missing.any():
        values[missing] = filler
    return values, missing


def _load_json(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:  # a number beyond its limits
        return json.loads(text, parse_int=_integer, parse_float=_float)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MOST_DIGITS else Decimal(digits)


def _float(digits: str) -> float | Decimal:
    number = float(digits)
    return number if math.isfinite(number) else Decimal(digits)


_BUILDERS: dict[str, _Build] = {
    "bigint": _integers(64),
    "integer": _integers(32),
    "smallint": _integers(16),
    "real": _floats(32),
    "double precision": _floats(64),
    "boolean": _booleans,
    "character varying": _text,
    "text": _text,
    "timestamp with time zone": _utc_instants,
    "timestamp without time zone": _instants,
    "date": _dates,
    "numeric": _objects,
    "time with time zone": _objects,
    "time without time zone": _objects,
    "jsonb": _objects,
}
