"""Precision and recall on the labelled set; `benchmarks/bench_pii_accuracy.py` prints them."""

from __future__ import annotations

import pytest

from atlas_dagster_tests.pii.accuracy import (
    accuracy,
    outcomes,
    personal_or_not,
    told_by_verdicts,
)
from atlas_dagster_tests.pii.labelled_columns import LabelledColumn
from atlas_dagster_tests.pii.labelled_development import DEVELOPMENT
from atlas_dagster_tests.pii.labelled_held_out import HELD_OUT

FLOOR = 0.95


def test_the_labelled_set_is_large_and_in_five_languages() -> None:
    columns = (*DEVELOPMENT, *HELD_OUT)
    assert len({(column.language, column.name) for column in columns}) == len(columns) >= 150
    assert {column.language for column in columns} == {"en", "de", "fr", "es", "da"}
    assert all(len(column.values()) == 200 for column in columns)


@pytest.mark.parametrize("columns", [DEVELOPMENT, HELD_OUT], ids=["development", "held out"])
def test_of_what_is_told_and_of_what_is_there_nearly_all_is_right(
    columns: tuple[LabelledColumn, ...],
) -> None:
    results = outcomes(columns, told_by_verdicts)
    for measured in (accuracy(results), accuracy(personal_or_not(results))):
        wrong = [f"{one.column.name}: {one.entity}" for one in results if one.expected != one.told]
        assert measured.precision >= FLOOR, wrong
        assert measured.recall >= FLOOR, wrong
