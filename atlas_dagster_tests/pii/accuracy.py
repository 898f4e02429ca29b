"""How verdicts compare with labels: hits, false alarms and misses, a pair of field and entity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from atlas_dagster.pii.context import context_of
from atlas_dagster.pii.findings import FieldFindings
from atlas_dagster.pii.recognizers import load_analyzer
from atlas_dagster.pii.scan import Scanner
from atlas_dagster.pii.verdict import family_of, judge
from atlas_dagster_tests.pii.labelled_columns import LabelledColumn
from atlas_dagster_tests.pii.support import chunk


@dataclass(frozen=True)
class Outcome:
    """One field and entity, expected or told or both."""

    column: LabelledColumn
    entity: str
    expected: bool
    told: bool


@dataclass(frozen=True)
class Accuracy:
    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float:
        told = self.hits + self.false_alarms
        return self.hits / told if told else 1.0

    @property
    def recall(self) -> float:
        expected = self.hits + self.misses
        return self.hits / expected if expected else 1.0


@cache
def scanner() -> Scanner:
    return Scanner(load_analyzer(Path("no file")))


@cache
def findings_of(column: LabelledColumn) -> FieldFindings:
    values = chunk(Counter(column.values()))
    return scanner().scan(column.path, [values], context_of(column.path))


def told_by_verdicts(column: LabelledColumn) -> set[str]:
    verdicts = judge(findings_of(column), stream=column.stream)
    return {family_of(verdict.entity) for verdict in verdicts}


def outcomes(
    columns: Iterable[LabelledColumn], tell: Callable[[LabelledColumn], set[str]]
) -> list[Outcome]:
    return [
        Outcome(column, entity, entity in column.expected, entity in told)
        for column in columns
        for told in [tell(column)]
        for entity in sorted(column.expected | told)
    ]


def accuracy(results: Sequence[Outcome]) -> Accuracy:
    return Accuracy(
        hits=sum(one.expected and one.told for one in results),
        false_alarms=sum(one.told and not one.expected for one in results),
        misses=sum(one.expected and not one.told for one in results),
    )


def personal_or_not(results: Sequence[Outcome]) -> list[Outcome]:
    """The same by field alone: personal data of any kind, or none."""
    by_column: dict[LabelledColumn, list[Outcome]] = {}
    for one in results:
        by_column.setdefault(one.column, []).append(one)
    return [
        Outcome(column, "any", any(o.expected for o in own), any(o.told for o in own))
        for column, own in by_column.items()
    ]
