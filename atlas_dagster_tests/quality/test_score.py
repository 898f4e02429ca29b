"""Six dimensions and one score: what was not checked has none, and nobody's score hides a fail."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.quality.score import WEIGHTS, Score, score
from atlas_dagster.quality.spec import Dimension, Outcome, Rule, Status
from atlas_dagster_tests.quality.support import check

RATIOS = st.none() | st.floats(0, 1)


@st.composite
def an_outcome(draw: st.DrawFn, ratios: st.SearchStrategy[float | None] = RATIOS) -> Outcome:
    ratio = draw(ratios)
    statuses = [Status.PASS, Status.WARN, Status.FAIL]
    if ratio is None:
        statuses += [Status.ERROR, Status.NOT_CHECKED]
    one = check(Rule.MISSING, dimension=draw(st.sampled_from(Dimension)))
    return Outcome(one, draw(st.sampled_from(statuses)), ratio=ratio)


def made(dimension: Dimension, ratio: float | None, status: Status = Status.PASS) -> Outcome:
    name = f"{dimension.value}_{status.value}"
    return Outcome(check(Rule.MISSING, name=name, dimension=dimension), status, ratio=ratio)


def test_the_weights_are_whole() -> None:
    assert math.fsum(WEIGHTS.values()) == 1
    assert set(WEIGHTS) == set(Dimension)


def test_a_dimension_is_the_mean_of_its_ratios_and_the_score_that_of_the_covered_ones() -> None:
    found = score(
        [
            made(Dimension.COMPLETENESS, 1.0),
            made(Dimension.COMPLETENESS, 0.5),
            made(Dimension.VALIDITY, 0.0, Status.WARN),
            made(Dimension.ACCURACY, None, Status.NOT_CHECKED),
        ]
    )
    overall, coverage = 75 * 0.25 / 0.45, 0.45
    assert (found.overall, found.coverage) == pytest.approx((overall, coverage))
    assert replace(found, overall=overall, coverage=coverage) == Score(
        dimensions={
            **dict.fromkeys(Dimension),
            Dimension.COMPLETENESS: 75.0,
            Dimension.VALIDITY: 0.0,
        },
        overall=overall,
        coverage=coverage,
        is_graded=False,
        status=Status.WARN,
        not_checked=("accuracy_not_checked",),
    )


def test_a_score_is_graded_from_half_of_the_weight_on() -> None:
    half = [Dimension.COMPLETENESS, Dimension.UNIQUENESS, Dimension.TIMELINESS]
    assert score(made(one, 1.0) for one in half).is_graded
    assert not score(made(one, 1.0) for one in half[:2]).is_graded


def test_nothing_checked_is_no_score() -> None:
    empty = score([])
    assert (empty.overall, empty.coverage, empty.is_graded) == (None, 0, False)
    assert empty.status is Status.NOT_CHECKED
    assert set(empty.dimensions.values()) == {None}


def test_an_empty_table_is_not_100() -> None:
    found = score(made(one, None, Status.NOT_CHECKED) for one in Dimension)
    assert (found.overall, found.coverage, found.is_graded) == (None, 0, False)


def test_an_error_outranks_a_fail_and_a_fail_a_warning() -> None:
    ranked = [Status.PASS, Status.NOT_CHECKED, Status.WARN, Status.FAIL, Status.ERROR]
    for worst in range(len(ranked)):
        outcomes = [made(Dimension.VALIDITY, None, status) for status in ranked[: worst + 1]]
        assert score(outcomes).status is ranked[worst]


@given(st.lists(an_outcome()), st.randoms())
def test_order_does_not_matter(outcomes: list[Outcome], random: Random) -> None:
    shuffled = [*outcomes]
    random.shuffle(shuffled)
    assert score(shuffled) == score(outcomes)


@given(st.lists(an_outcome()))
def test_a_score_lies_between_its_dimensions_and_covers_what_has_ratios(
    outcomes: list[Outcome],
) -> None:
    found = score(outcomes)
    covered = {o.check.dimension for o in outcomes if o.ratio is not None}
    assert {one for one, value in found.dimensions.items() if value is not None} == covered
    assert found.coverage == pytest.approx(sum(WEIGHTS[one] for one in covered))
    if not covered:
        assert found.overall is None
        return
    values = [value for value in found.dimensions.values() if value is not None]
    assert found.overall is not None
    assert min(values) - 1e-9 <= found.overall <= max(values) + 1e-9
    assert all(0 <= value <= 100 for value in values)


@given(st.lists(an_outcome()), an_outcome(st.none()))
def test_what_has_no_ratio_moves_no_score(outcomes: list[Outcome], silent: Outcome) -> None:
    with_it, without = score([*outcomes, silent]), score(outcomes)
    assert (with_it.dimensions, with_it.overall) == (without.dimensions, without.overall)


@given(st.lists(an_outcome(st.floats(0, 1)), min_size=1), st.data())
def test_a_better_ratio_never_lowers_the_score(
    outcomes: list[Outcome], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(outcomes) - 1))
    one = outcomes[place]
    assert one.ratio is not None
    better = Outcome(one.check, one.status, ratio=data.draw(st.floats(one.ratio, 1)))
    after = score([*outcomes[:place], better, *outcomes[place + 1 :]]).overall
    before = score(outcomes).overall
    assert after is not None
    assert before is not None
    assert after >= before - 1e-9
