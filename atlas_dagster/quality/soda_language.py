"""What Soda 4's contract language has for checks, and what of it means something here.

Soda ignores a key that it does not know, and in places a known one that has no effect: the check
then passes. So each type is listed with the keys that have an effect in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from atlas_dagster.quality.spec import Dimension

EVERYWHERE = ("name", "qualifier", "filter", "attributes", "threshold")
ATTRIBUTES = ("dimension", "description")

MISSING_KEYS = ("missing_values", "missing_format")
VALIDITY_KEYS = (
    *("valid_values", "invalid_values", "valid_format", "invalid_format"),
    *("valid_min", "valid_max", "valid_length", "valid_min_length", "valid_max_length"),
    "valid_reference_data",
)
COLUMN_KEYS = ("name", "checks", "column_expression", *MISSING_KEYS, *VALIDITY_KEYS)

COMPARISONS = {
    "must_be": "ne",
    "must_not_be": "eq",
    "must_be_greater_than": "lte",
    "must_be_greater_than_or_equal": "lt",
    "must_be_less_than": "gte",
    "must_be_less_than_or_equal": "gt",
}
"""What must hold of a value, and the operator that says how it is broken."""

RANGES = {"must_be_between": "outside", "must_be_not_between": "inside"}

AGGREGATES = ("avg", "avg_length", "max", "max_length", "min", "min_length", "sum")
FRESHNESS_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
METRICS = ("count", "percent")


@dataclass(frozen=True)
class CheckType:
    """A type of check: where it stands, the keys it has beside those that all have.

    ``default`` is the comparison that holds where no threshold is written; None: one must be.
    """

    dimension: Dimension
    on_column: bool = False
    on_table: bool = False
    keys: tuple[str, ...] = ()
    has_metric: bool = False
    has_unit: bool = False
    default: tuple[str, int] | None = None


_NO_ROW = ("must_be", 0)

CHECK_TYPES = {
    "missing": CheckType(
        Dimension.COMPLETENESS,
        on_column=True,
        keys=("column_expression", *MISSING_KEYS),
        has_metric=True,
        default=_NO_ROW,
    ),
    "invalid": CheckType(
        Dimension.VALIDITY,
        on_column=True,
        keys=("column_expression", *MISSING_KEYS, *VALIDITY_KEYS),
        has_metric=True,
        default=_NO_ROW,
    ),
    "duplicate": CheckType(
        Dimension.UNIQUENESS,
        on_column=True,
        on_table=True,
        keys=("column_expression", "columns", *MISSING_KEYS),
        has_metric=True,
        default=_NO_ROW,
    ),
    "aggregate": CheckType(
        Dimension.ACCURACY,
        on_column=True,
        keys=("column_expression", "function", *MISSING_KEYS),
    ),
    "metric": CheckType(
        Dimension.ACCURACY, on_column=True, on_table=True, keys=("expression", "query")
    ),
    "failed_rows": CheckType(
        Dimension.CONSISTENCY,
        on_table=True,
        keys=("expression", "query", "rows_tested_query"),
        has_metric=True,
        default=_NO_ROW,
    ),
    "freshness": CheckType(Dimension.TIMELINESS, on_table=True, keys=("column",), has_unit=True),
    "row_count": CheckType(
        Dimension.COMPLETENESS, on_table=True, default=("must_be_greater_than", 0)
    ),
}

NOT_HERE = {
    "dataset": "the name of the file says which stream it is about",
    "filter": "a filter is a key of a check: here it would be one of all derived checks too",
    "variables": "there are no variables; write the value",
    "check_attributes": "attributes are a key of a check",
    "scopes": "scopes belong to Soda Cloud, and checks in them are not made without it",
    "scope": "scopes belong to Soda Cloud, and checks in them are not made without it",
    "store_failed_rows": "a sample of failed rows is kept of every check",
    "keys_query": "it belongs to Soda's diagnostics warehouse; use query",
    "key_column_mapping": "it belongs to Soda's diagnostics warehouse",
    "now_variable": "there are no variables; ages are as of the scan",
    "data_type": "types are those of the source's schema, which the check schema compares",
    "character_maximum_length": "lengths are checked by invalid, with valid_max_length",
    "numeric_precision": "types are those of the source's schema",
    "numeric_scale": "types are those of the source's schema",
    "datetime_precision": "types are those of the source's schema",
}
"""Keys that Soda knows, and why they do not stand in these files."""

NO_TYPES = {"schema": "the check schema is derived from the source's schema"}
"""Types that Soda knows, and why they do not stand in these files."""
