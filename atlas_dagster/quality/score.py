"""Six dimensions and one score, from the outcomes of a scan; what was not checked has none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atlas_dagster.quality.spec import Dimension, Outcome, Status

WEIGHTS: Mapping[Dimension, float] = {
    Dimension.COMPLETENESS: 0.25,
    Dimension.UNIQUENESS: 0.15,
    Dimension.TIMELINESS: 0.10,
    Dimension.VALIDITY: 0.20,
    Dimension.ACCURACY: 0.15,
    Dimension.CONSISTENCY: 0.15,
}

GRADED_FROM = 0.5
"""The coverage from which on a score says something of the whole."""

SEVERITY = (Status.PASS, Status.NOT_CHECKED, Status.WARN, Status.FAIL, Status.ERROR)
"""From the best to the worst."""


@dataclass(frozen=True)
class Score:
    """How good a scan found a stream, from 0 to 100.

    ``dimensions`` has every dimension, None where nothing was tested. ``overall`` is the weighted
    mean of the others, ``coverage`` the weight that they have; ``is_graded`` where that is enough.
    ``status`` is that of the worst outcome: a stream can score 99.8 and fail. ``not_checked`` names
    the checks that tested nothing or could not be evaluated.
    """

    dimensions: Mapping[Dimension, float | None]
    overall: float | None
    coverage: float
    is_graded: bool
    status: Status
    not_checked: tuple[str, ...]


def score(outcomes: Iterable[Outcome]) -> Score:
    """The score of a scan; the order of its outcomes does not matter."""
    outcomes = tuple(outcomes)
    dimensions = {dimension: _mean(_ratios(outcomes, dimension)) for dimension in Dimension}
    covered = {name: found for name, found in dimensions.items() if found is not None}
    coverage = math.fsum(WEIGHTS[name] for name in covered)
    overall = None
    if covered:
        overall = math.fsum(WEIGHTS[name] * found for name, found in covered.items()) / coverage
    return Score(
        dimensions,
        overall,
        coverage,
        coverage >= GRADED_FROM,
        worst(outcome.status for outcome in outcomes),
        tuple(
            sorted(
                outcome.check.name
                for outcome in outcomes
                if outcome.status in (Status.ERROR, Status.NOT_CHECKED)
            )
        ),
    )


def shown_score(overall: float) -> str:
    """A score as people read it, rounded down: 99.96 is not 100."""
    return f"{rounded_down(overall, 1):.1f}"


def rounded_down(score: float, digits: int) -> float:
    """A score with so many digits behind the point, and no better than it is."""
    return math.floor(score * 10**digits + 1e-9) / 10**digits


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of some statuses; nothing at all was not checked."""
    return max(statuses, key=SEVERITY.index, default=Status.NOT_CHECKED)


def _ratios(outcomes: Iterable[Outcome], dimension: Dimension) -> list[float]:
    return [
        outcome.ratio
        for outcome in outcomes
        if outcome.ratio is not None and outcome.check.dimension is dimension
    ]


def _mean(ratios: list[float]) -> float | None:
    return 100 * math.fsum(ratios) / len(ratios) if ratios else None
