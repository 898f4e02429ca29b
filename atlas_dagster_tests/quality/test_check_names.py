"""Names of checks: apart from each other, whatever the columns are called."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from atlas_dagster.quality.check_names import column_check, name_part
from atlas_dagster.quality.spec import Rule

COLUMN = st.one_of(
    st.text(min_size=1), st.from_regex(r"[a-z_]{1,6}(_[0-9a-f]{8})?", fullmatch=True)
)


def test_a_plain_column_keeps_its_name() -> None:
    assert column_check(Rule.MISSING, "first_name") == "missing__first_name"
    assert column_check(Rule.PAIR, "created_at", "updatedAt") == "pair__created_at__updatedAt"


def test_a_column_that_is_no_word_gets_a_tail_of_its_own() -> None:
    assert re.fullmatch(r"missing__User_ID_[0-9a-f]{8}", column_check(Rule.MISSING, "User ID"))
    assert re.fullmatch(r"missing__x_[0-9a-f]{8}", column_check(Rule.MISSING, "表"))


@given(COLUMN, COLUMN)
@example("User ID", "User_ID")
@example("User ID", name_part("User ID"))
@example("表", name_part("表"))
def test_two_columns_have_two_parts(first: str, second: str) -> None:
    assert (name_part(first) == name_part(second)) is (first == second)


@given(st.tuples(COLUMN, COLUMN), st.tuples(COLUMN, COLUMN))
@example(("a", "b__c"), ("a__b", "c"))
def test_two_pairs_of_columns_have_two_names(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    names = [column_check(Rule.PAIR, *pair) for pair in (first, second)]
    assert (names[0] == names[1]) is (first == second)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
