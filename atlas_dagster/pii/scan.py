"""What Presidio finds in all values of a field: the same as if it were asked about every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from atlas_dagster.errors import ScanError
from atlas_dagster.pii.detectors import Score, Span
from atlas_dagster.pii.findings import EntityFinding, FieldFindings, MaskedSample
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


class Scanner:
    """Scans fields with one analyzer; what it learns of one field serves the next."""

    def __init__(
        self, analyzer: Analyzer, mask: Callable[[str, str], str] | None = None
    ) -> None:
        self._analyzer = analyzer
        self._mask = mask
        self._prefilter = Prefilter(analyzer.detectors)

    def scan(
        self, path: tuple[str, ...], chunks: Iterable[pl.DataFrame], context: Sequence[str]
    ) -> FieldFindings:
        """The findings in the values of a field, as Presidio's with these words of context.

        A chunk has columns ``value`` (text, not null, in no other row or chunk) and ``count``, how
        often it occurs. Raises ScanError naming the recognizer that failed, not the value.
        """
        final = FinalScores(context)
        shape = ShapeCount()
        tallies: dict[str, _Tally] = {}
        for chunk in chunks:
            shape.add(chunk)
            counts = chunk["count"].to_list()
            for entity, found in self._found(chunk["value"], final).items():
                tally = tallies.setdefault(entity, _Tally())
                for place, score in found.items():
                    tally.add(score, counts[place])
                self._sample(tally, entity, chunk["value"], found)
        entities = sorted(tallies)
        return FieldFindings(
            path=path,
            rows=shape.rows,
            distinct_values=shape.values,
            entities=tuple(tallies[entity].finding(entity) for entity in entities),
            samples=tuple(
                MaskedSample(entity, masked)
                for entity in entities
                for masked in tallies[entity].samples
            ),
            mean_length=shape.mean_length,
            shape=shape.shape,
        )

    def _found(self, values: pl.Series, final: FinalScores) -> Mapping[str, Mapping[int, Score]]:
        """By entity and place in the chunk, the scores after context and thresholds."""
        found: dict[str, dict[int, Score]] = {}
        for candidates in self._prefilter.candidates(values):
            recognizer = candidates.detector.recognizer
            scores = found.setdefault(recognizer.supported_entities[0], {})
            for place, raw in _judged(candidates):
                score = final.of(recognizer, raw)
                if score is not None:
                    before = scores.get(place)
                    scores[place] = score if before is None else _both(before, score)
        return {entity: scores for entity, scores in found.items() if scores}

    def _sample(
        self, tally: _Tally, entity: str, values: pl.Series, found: Mapping[int, Score]
    ) -> None:
        if self._mask is None:
            return
        for place in found:
            if len(tally.samples) == SAMPLES:
                return
            tally.samples[self._mask(values[place], entity)] = None


def _judged(candidates: Candidates) -> Iterable[tuple[int, Score]]:
    detector = candidates.detector
    for place, text, met in zip(candidates.places, candidates.texts, candidates.met, strict=True):
        try:
            score = detector.judge(text, core_of(text), met)
        except Exception as error:  # noqa: BLE001
            name, kind = detector.recognizer.name, type(error).__name__
            raise ScanError(f"the recognizer {name} failed on a value: {kind}") from None
        if score is not None:
            yield place, score


def core_of(text: str) -> Span:
    """Where a value stands without the white space around it."""
    end = len(text.rstrip())
    return Span(min(end, len(text) - len(text.lstrip())), end)


def _both(one: Score, other: Score) -> Score:
    return Score(max(one.best, other.best), max(one.whole, other.whole))
