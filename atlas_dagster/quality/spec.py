"""A check, what it asks, and what came of it: the nouns of quality, free of any engine.

Checks of chart are about records as the source has them: rows that are `_atlas_deleted` have
nothing but a key, and are not tested, unless a rule says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, Union

from atlas_dagster.catalog import Table
from atlas_dagster.json_limits import Number, ValueLimits

Json: TypeAlias = Union[bool, int, float, str, "list[Json]", "dict[str, Json]", None]


class Dimension(str, Enum):
    COMPLETENESS = "completeness"
    UNIQUENESS = "uniqueness"
    TIMELINESS = "timeliness"
    VALIDITY = "validity"
    ACCURACY = "accuracy"
    CONSISTENCY = "consistency"


class Rule(str, Enum):
    ROW_COUNT = "row_count"
    SCHEMA = "schema"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    INVALID = "invalid"
    TEXT_DAMAGE = "text_damage"
    CAST_LOSS = "cast_loss"
    RECORD_COUNT = "record_count"
    FRESHNESS = "freshness"
    PAIR = "pair"
    REFERENCE = "reference"
    HISTORY = "history"
    USER = "user"
    FILE = "file"


class Unit(str, Enum):
    """``count``: of rows, or a plain value of a user's check; ``percent``: of the tested rows."""

    COUNT = "count"
    PERCENT = "percent"
    SECONDS = "seconds"


class Operator(str, Enum):
    """How a value stands to a limit that it breaks; the last two are about a range."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NE = "ne"
    OUTSIDE = "outside"
    INSIDE = "inside"


@dataclass(frozen=True)
class Limit:
    """What must not be: ``Limit(GT, 5, PERCENT)`` is broken by more than 5 percent.

    ``upper`` is the other end of a range.
    """

    operator: Operator
    value: Number
    unit: Unit = Unit.COUNT
    upper: Number | None = None


@dataclass(frozen=True)
class Threshold:
    """When a check warns and when it fails; one with neither only measures.

    It is about the failed rows; of ROW_COUNT, FRESHNESS and USER, about the value.
    """

    warn: Limit | None = None
    fail: Limit | None = None


@dataclass(frozen=True)
class NoParameters:
    """CAST_LOSS: failed are the rows of chart that have `_atlas_errors`. FILE: no rows at all."""


@dataclass(frozen=True)
class RowCountParameters:
    """The value is the number of rows: those of the days that are scanned, or all.

    ``of_all_days`` is for streams that sync what changed: a day without rows is no error. Of others
    a day without rows is one on which a sync brought none; days without a sync are not checked.
    """

    of_all_days: bool


@dataclass(frozen=True)
class ExpectedColumn:
    """A column that chart must have, and its PostgreSQL type, spelled as in `ColumnType`."""

    name: str
    type: str


@dataclass(frozen=True)
class SchemaParameters:
    """Other columns than these may be there too, in any order."""

    columns: tuple[ExpectedColumn, ...]


@dataclass(frozen=True)
class MissingParameters:
    """A value is missing where it is NULL, or, if ``empty_is_missing``, an empty text."""

    empty_is_missing: bool = False


@dataclass(frozen=True)
class DuplicateParameters:
    """Failed: rows beyond the first of a key, counted within rows that agree in ``within``.

    Both are columns of chart; the key is the check's columns. Chart has every version of a record,
    so a key alone does repeat. Rows of no key are not tested. If ``repeats_are_one``, rows that
    agree in `_atlas_row_hash` as well count as one: the source sent the same version twice.
    """

    within: tuple[str, ...]
    repeats_are_one: bool = False


@dataclass(frozen=True)
class TextDamageParameters:
    """A text that contains ``pattern`` was damaged on its way."""

    pattern: str


@dataclass(frozen=True)
class RecordCountParameters:
    """Failed: records that Airbyte committed (`pipeline.sync_stream`) and ``explore`` has not.

    It is about the newest complete sync that touched the days. Unless ``is_exact``, the destination
    keeps one record of a key, so fewer are as they should be: then only a sync of which there is no
    row at all has lost its records.
    """

    connection_id: str
    namespace: str
    name: str
    explore: Table
    is_exact: bool


@dataclass(frozen=True)
class FreshnessParameters:
    """The value is the age in seconds of the newest instant in the check's column, of all days.

    If ``or_of_sync``, the end of the stream's newest complete sync (`pipeline.sync_stream`) counts
    as well: a source that has nothing new is not stale.
    """

    or_of_sync: bool = False


@dataclass(frozen=True)
class PairParameters:
    """Failed: rows in which ``earlier`` is after ``later``; where one is missing, not tested."""

    earlier: str
    later: str


@dataclass(frozen=True)
class ReferenceParameters:
    """Failed: rows whose value is in no row of ``column`` of ``table``; NULLs are not tested.

    ``table`` is the chart of another stream of the connection, which may not be built yet: then
    nothing can be tested.
    """

    table: Table
    column: str


class HistoryRule(str, Enum):
    ONE_CURRENT = "one_current"
    NO_OVERLAP = "no_overlap"
    FROM_BEFORE_TO = "from_before_to"


@dataclass(frozen=True)
class HistoryParameters:
    """What holds of the segments of a key, in the navigate table."""

    rule: HistoryRule
    table: Table


@dataclass(frozen=True)
class UserParameters:
    """A check of Soda's contract language: its type, what stands under it, and on which column.

    What the user wrote at the column (``valid_min``, ``missing_values``…) is in ``body`` already;
    in a ``valid_reference_data`` the dataset is ``schema/table``.
    """

    type: str
    body: Mapping[str, Json]
    column: str | None = None


Parameters: TypeAlias = (
    NoParameters
    | RowCountParameters
    | SchemaParameters
    | MissingParameters
    | DuplicateParameters
    | ValueLimits
    | TextDamageParameters
    | RecordCountParameters
    | FreshnessParameters
    | PairParameters
    | ReferenceParameters
    | HistoryParameters
    | UserParameters
)


@dataclass(frozen=True)
class Check:
    """One thing that is checked of a stream.

    ``name`` is unique in the stream and fits Dagster (``[A-Za-z0-9_]+``). ``columns`` are those of
    chart, or of navigate where ``rule`` is HISTORY. ``origin`` says where the check comes from:
    ``the source's schema: required``, ``config/checks/crm/users.yml:12``.
    """

    name: str
    rule: Rule
    dimension: Dimension
    columns: tuple[str, ...]
    description: str
    origin: str
    threshold: Threshold
    parameters: Parameters

    @property
    def can_break(self) -> bool:
        """Whether it can warn or fail; else it only measures."""
        return self.rule is Rule.USER or self.threshold != Threshold()

    @property
    def layer(self) -> str:
        """The layer whose table is scanned."""
        return "navigate" if self.rule is Rule.HISTORY else "chart"


class Status(str, Enum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True)
class Outcome:
    """What came of a check in one scan; ``ratio`` is None where nothing was tested."""

    check: Check
    status: Status
    value: float | None = None
    tested: int | None = None
    failed: int | None = None
    ratio: float | None = None
    message: str = ""
