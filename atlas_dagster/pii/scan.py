"""What Presidio finds in all values of a field: the same as if it were asked about every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atlas_dagster.collector import collector_paused
from atlas_dagster.pii.detectors import Failure, Outcome, Score
from atlas_dagster.pii.findings import (
    EntityFinding,
    FieldFindings,
    MaskedSample,
    RecognizerFailure,
)
from atlas_dagster.pii.prefilter import Candidates, Prefilter
from atlas_dagster.pii.recognizers import Analyzer
from atlas_dagster.pii.scores import FinalScores
from atlas_dagster.pii.shapes import ShapeCount

if TYPE_CHECKING:
    import polars as pl

SAMPLES = 3


@dataclass
class _Tally:
    """What one entity was found in so far."""

    values: int = 0
    whole_values: int = 0
    whole_rows: int = 0
    rows_by_score: Counter[float] = field(default_factory=Counter[float])
    samples: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, score: Score, rows: int) -> None:
        self.values += 1
        self.rows_by_score[score.best] += rows
        if score.whole > 0:
            self.whole_values += 1
            self.whole_rows += rows

    def finding(self, entity: str) -> EntityFinding:
        rows = self.rows_by_score.total()
        scores = sorted(self.rows_by_score.items())
        return EntityFinding(
            entity=entity,
            values=self.values,
            rows=rows,
            mean_score=sum(score * count for score, count in scores) / rows,
            max_score=scores[-1][0],
            whole_values=self.whole_values,
            whole_rows=self.whole_rows,
        )


@dataclass
class _Scan:
    """What is known of one field so far."""

    final: FinalScores
    shape: ShapeCount = field(default_factory=ShapeCount)
    tallies: dict[str, _Tally] = field(default_factory=dict[str, _Tally])
    failed: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    failed_rows: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def findings(self, path: tuple[str, ...]) -> FieldFindings:
        entities = sorted(self.tallies)
        return FieldFindings(
            path=path,
            rows=self.shape.rows,
            distinct_values=self.shape.values,
            entities=tuple(self.tallies[entity].finding(entity) for entity in entities),
            samples=tuple(
                MaskedSample(entity, masked)
                for entity in entities
                for masked in self.tallies[entity].samples
            ),
            mean_length=self.shape.mean_length,
            shape=self.shape.shape,
            failures=tuple(
                RecognizerFailure(*failure, self.failed[failure], self.failed_rows[failure])
                for failure in sorted(self.failed)
            ),
        )


class Scanner:
    """Scans fields with one analyzer; what it learns of one field serves the next.

    ``mask`` is what may be shown of a value in which an entity was found; None: there are no
    samples.
    """

    def __init__(self, analyzer: Analyzer, mask: Callable[[str, str], str] | None = None) -> None:
        self._mask = mask
        self._prefilter = Prefilter(analyzer.detectors)

    def scan(
        self, path: tuple[str, ...], chunks: Iterable[pl.DataFrame], context: Sequence[str]
    ) -> FieldFindings:
        """The findings in the values of a field, as Presidio's with these words of context.

        A chunk has columns ``value`` (text, not null, in no other row or chunk) and ``count``, how
        often it occurs. A value that a recognizer raises an error on counts among ``failures``.
        """
        scan = _Scan(FinalScores(context))
        for chunk in chunks:
            with collector_paused():  # among all that Presidio keeps, to look for cycles takes long
                self._scan_chunk(chunk, scan)
        return scan.findings(path)

    def _scan_chunk(self, chunk: pl.DataFrame, scan: _Scan) -> None:
        scan.shape.add(chunk)
        counts = chunk["count"].to_list()
        failed: dict[tuple[str, str], set[int]] = {}
        found: dict[str, dict[int, Score]] = {}
        for candidates in self._prefilter.candidates(chunk["value"]):
            recognizer = candidates.detector.recognizer
            scores = found.setdefault(recognizer.supported_entities[0], {})
            for place, outcome in _outcomes(candidates):
                if isinstance(outcome, Failure):
                    failed.setdefault((recognizer.name, outcome.kind), set()).add(place)
                elif outcome is not None and (score := scan.final.of(recognizer, outcome)):
                    before = scores.get(place)
                    scores[place] = score if before is None else _both(before, score)
        for entity, scores in found.items():
            self._count(entity, scores, chunk["value"], counts, scan)
        for failure, places in failed.items():
            scan.failed[failure] += len(places)
            scan.failed_rows[failure] += sum(counts[place] for place in places)

    def _count(
        self,
        entity: str,
        scores: Mapping[int, Score],
        values: pl.Series,
        counts: Sequence[int],
        scan: _Scan,
    ) -> None:
        if not scores:
            return
        tally = scan.tallies.setdefault(entity, _Tally())
        for place, score in scores.items():
            tally.add(score, counts[place])
        if self._mask is not None:
            for place in scores:
                if len(tally.samples) == SAMPLES:
                    break
                tally.samples[self._mask(values[place], entity)] = None


def _outcomes(candidates: Candidates) -> Iterator[tuple[int, Outcome]]:
    for score, places in candidates.settled:
        yield from ((place, score) for place in places)
    scores = candidates.detector.scores(candidates.texts)
    yield from zip(candidates.places, scores, strict=True)


def _both(one: Score, other: Score) -> Score:
    return Score(max(one.best, other.best), max(one.whole, other.whole))
