"""What the values of a field look like, in shares of its rows."""

from __future__ import annotations

from collections import Counter

import pytest

from atlas_dagster.pii.findings import ValueShape
from atlas_dagster.pii.shapes import ShapeCount
from atlas_dagster_tests.pii.labelled_columns import LabelledColumn
from atlas_dagster_tests.pii.labelled_development import DEVELOPMENT
from atlas_dagster_tests.pii.labelled_held_out import HELD_OUT
from atlas_dagster_tests.pii.reference import plain_shape
from atlas_dagster_tests.pii.support import chunk


def shape_of(values: dict[str, int]) -> ValueShape:
    count = ShapeCount()
    count.add(chunk(values))
    return count.shape


@pytest.mark.parametrize("value", ["0.5", "12,50", "-1234.0001", "+3.14", " 7.0\n", "0.0000001"])
def test_a_number_with_a_fraction_is_decimal(value: str) -> None:
    assert shape_of({value: 1}).decimal == 1.0


@pytest.mark.parametrize(
    "value",
    [
        "5",
        ".5",
        "5.",
        "1.234.567",
        "1,234.50",
        "--1.5",
        "1.5e3",
        "1.5 €",
        "1. 5",
        "1.5\n2.5",
        "१.५",
    ],
)
def test_anything_else_is_not(value: str) -> None:
    assert shape_of({value: 1}).decimal == 0.0


def test_shares_are_of_rows_over_all_chunks() -> None:
    count = ShapeCount()
    count.add(chunk({"1.5": 2, "x": 1}))
    count.add(chunk({"2.5": 1, "3": 4}))
    assert (count.values, count.rows) == (4, 8)
    assert count.shape.decimal == 3 / 8
    assert count.shape.integers_only == 4 / 8


@pytest.mark.parametrize("column", [*DEVELOPMENT, *HELD_OUT], ids=lambda column: column.name)
def test_the_labelled_fields_have_the_shapes_that_plain_python_counts(
    column: LabelledColumn,
) -> None:
    """Of each shape at once: what is judged by, but never counted, would be 0 here."""
    rows = Counter(column.values(80))
    shape, plain = shape_of(dict(rows)), plain_shape(rows)
    for name in ValueShape.__dataclass_fields__:
        assert getattr(shape, name) == pytest.approx(getattr(plain, name)), name
