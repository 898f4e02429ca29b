"""Precision and recall of the verdicts on the labelled set, beside Presidio with a threshold.

Presidio gets the same values and recognizers, and judges a field by the results of a score on a
share of its values; its names are translated in its favour (DATE_TIME is a DATE_OF_BIRTH). No model
for names is used on either side. A pair of field and entity is a hit, a false alarm or a miss;
`field` is the same for personal data of any kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from _measure import at_least, print_table, tell

from atlas_dagster.pii.verdict import family_of
from atlas_dagster_tests.pii.accuracy import (
    Outcome,
    accuracy,
    outcomes,
    personal_or_not,
    told_by_verdicts,
)
from atlas_dagster_tests.pii.labelled_columns import LabelledColumn
from atlas_dagster_tests.pii.labelled_development import DEVELOPMENT
from atlas_dagster_tests.pii.labelled_held_out import HELD_OUT
from atlas_dagster_tests.pii.reference import context_words, plain_results

TARGET = 0.95
NOISE = frozenset({"URL", "UUID", "DATE_TIME"})


@dataclass(frozen=True)
class Threshold:
    """Tell an entity where a share of the values has a result of that score; 0: a single one."""

    title: str
    share: float
    score: float = 0.7
    first: int | None = None
    context: bool = True
    ignored: frozenset[str] = frozenset()

    def __call__(self, column: LabelledColumn) -> set[str]:
        values = column.values()[: self.first]
        context = tuple(context_words(column.path)) if self.context else ()
        counts: dict[str, int] = {}
        for value in values:
            for entity, score in best_scores(value, context):
                counts[entity] = counts.get(entity, 0) + (score >= self.score)
        return {
            family_of(entity)
            for entity, count in counts.items()
            if count and count >= self.share * len(values) and entity not in self.ignored
        }


THRESHOLDS = (
    Threshold("Presidio: score 0.7 once in 100 values", 0.0, first=100, context=False),
    Threshold("the same, told the field's name", 0.0, first=100),
    Threshold("score 0.7 in 5 % of all values", 0.05),
    Threshold("score 0.7 in half of all values", 0.5),
    Threshold("score 0.7 in 5 %, no URL, UUID, DATE_TIME", 0.05, ignored=NOISE),
    Threshold("score 0.4 in 5 %, no URL, UUID, DATE_TIME", 0.05, score=0.4, ignored=NOISE),
    Threshold("score 0.4 in half, no URL, UUID, DATE_TIME", 0.5, score=0.4, ignored=NOISE),
)


@cache
def best_scores(value: str, context: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    best: dict[str, float] = {}
    for result in plain_results(value, context):
        best[result.entity_type] = max(result.score, best.get(result.entity_type, 0.0))
    return tuple(best.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="list what is wrong")
    given = parser.parse_args()
    halves = {"development": DEVELOPMENT, "held out": HELD_OUT}
    ours: list[Outcome] = []
    for title, columns in halves.items():
        tell(f"{title}: {len(columns)} fields")
        results = outcomes(columns, told_by_verdicts)
        ours += results
        rows = [row("Atlas: verdicts", results, mark=True)]
        rows += [row(peer.title, outcomes(columns, peer)) for peer in THRESHOLDS]
        personal = sum(bool(column.expected) for column in columns)
        print_table(
            f"{title}: {len(columns)} fields of 200 values, {personal} of them personal data",
            ["", "precision", "recall", "field precision", "field recall"],
            rows,
        )
    print_groups("Atlas by language, both halves", ours, lambda one: one.column.language)
    print_groups("Atlas by entity, both halves", ours, lambda one: one.entity)
    if given.wrong:
        print_wrong(ours)


def row(title: str, results: Sequence[Outcome], *, mark: bool = False) -> list[str]:
    figures = [
        figure
        for measured in (accuracy(results), accuracy(personal_or_not(results)))
        for figure in (measured.precision, measured.recall)
    ]
    shown = [at_least(f, TARGET, 3) if mark else f"{f:.3f}" for f in figures]
    return [title, *shown]


def print_groups(title: str, results: Iterable[Outcome], key: Callable[[Outcome], str]) -> None:
    groups: dict[str, list[Outcome]] = {}
    for one in results:
        groups.setdefault(key(one), []).append(one)
    rows: list[list[str]] = []
    for name, group in sorted(groups.items()):
        measured = accuracy(group)
        counts = [measured.hits, measured.false_alarms, measured.misses]
        rates = [f"{measured.precision:.3f}", f"{measured.recall:.3f}"]
        rows.append([name, *map(str, counts), *rates])
    print_table(title, ["", "hits", "false alarms", "misses", "precision", "recall"], rows)


def print_wrong(results: Iterable[Outcome]) -> None:
    rows = [
        [one.column.name, one.column.language, one.entity, "missed" if one.expected else "false"]
        for one in results
        if one.expected != one.told
    ]
    print_table("Wrong", ["field", "language", "entity", ""], rows)


if __name__ == "__main__":
    main()
