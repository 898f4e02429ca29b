"""What a measurement means: limits of rows, of percent and of seconds, and one sentence."""

from __future__ import annotations

import pytest

from atlas_dagster.quality.judge import Measured, judge, limit_text
from atlas_dagster.quality.spec import Limit, Operator, Rule, Status, Unit
from atlas_dagster_tests.quality.support import above, check


def status(measured: Measured, rule: Rule = Rule.INVALID, **limits: Limit | None) -> Status:
    return judge(check(rule, "email", **{"fail": None, **limits}), measured).status


@pytest.mark.parametrize(
    ("operator", "passing", "breaking"),
    [
        (Operator.GT, [5], [6]),
        (Operator.GTE, [4], [5]),
        (Operator.LT, [5], [4]),
        (Operator.LTE, [6], [5]),
        (Operator.EQ, [4], [5]),
        (Operator.NE, [5], [4, 6]),
        (Operator.OUTSIDE, [5, 7, 9], [4, 10]),
        (Operator.INSIDE, [4, 10], [5, 7, 9]),
    ],
)
def test_a_limit_says_what_breaks_it(
    operator: Operator, passing: list[int], breaking: list[int]
) -> None:
    limit = Limit(operator, 5, upper=9)
    for value in passing + breaking:
        expected = Status.FAIL if value in breaking else Status.PASS
        assert status(Measured(value=value), Rule.ROW_COUNT, fail=limit) is expected


def test_a_share_is_of_the_tested_rows_and_is_not_rounded() -> None:
    limit = above(5, Unit.PERCENT)
    assert status(Measured(tested=100, failed=5), fail=limit) is Status.PASS
    assert status(Measured(tested=100, failed=6), fail=limit) is Status.FAIL
    none = above(0, Unit.PERCENT)
    assert status(Measured(tested=10**9, failed=1), fail=none) is Status.FAIL


def test_rows_may_warn_where_a_share_fails() -> None:
    rows, share = above(0), above(5, Unit.PERCENT)
    assert status(Measured(tested=100, failed=0), warn=rows, fail=share) is Status.PASS
    assert status(Measured(tested=100, failed=1), warn=rows, fail=share) is Status.WARN
    assert status(Measured(tested=100, failed=9), warn=rows, fail=share) is Status.FAIL


@pytest.mark.parametrize("measured", [Measured(), Measured(tested=0, failed=0), Measured(tested=3)])
def test_what_tested_nothing_does_not_pass(measured: Measured) -> None:
    found = judge(check(Rule.MISSING, "email"), measured)
    assert (found.status, found.ratio, found.message) == (
        Status.NOT_CHECKED,
        None,
        "no rows to test",
    )


def test_what_only_measures_passes_and_has_a_ratio() -> None:
    found = judge(check(Rule.MISSING, "email", fail=None), Measured(tested=4, failed=1))
    assert (found.status, found.value, found.ratio) == (Status.PASS, 1.0, 0.75)
    assert found.message == "1 of 4 rows (25 %)"


@pytest.mark.parametrize(("age", "ratio"), [(0, 1), (3600, 1), (7200, 0.5), (-60, 1)])
def test_an_age_within_the_limit_is_whole_and_beyond_it_the_part_that_the_limit_is(
    age: float, ratio: float
) -> None:
    one = check(Rule.FRESHNESS, warn=above(3600, Unit.SECONDS), fail=None)
    assert judge(one, Measured(value=age)).ratio == ratio


def test_a_count_of_rows_has_a_status_and_no_ratio() -> None:
    found = judge(check(Rule.ROW_COUNT), Measured(value=3))
    assert (found.status, found.ratio) == (Status.FAIL, None)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (above(1000), "more than 1,000"),
        (above(0.5, Unit.PERCENT), "more than 0.5 %"),
        (Limit(Operator.LT, 1), "less than 1"),
        (above(90061, Unit.SECONDS), "more than 1 d 1 h"),
        (Limit(Operator.NE, 7), "other than 7"),
        (Limit(Operator.OUTSIDE, 1, upper=2), "not within 1 to 2"),
    ],
)
def test_a_limit_reads_as_a_sentence(limit: Limit, text: str) -> None:
    assert limit_text(limit) == text
