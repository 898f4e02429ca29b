"""Presidio's recognizers, one pattern at a time: when each is worth asking, and what it says."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Protocol

from atlas_dagster.pii.relax import ANY_TEXT, Relaxed, relax


@dataclass(frozen=True)
class Span:
    """Where a value stands in its text: what of it is not white space around it."""

    start: int
    end: int


@dataclass(frozen=True)
class Score:
    """What a recognizer says of one value, before context: its best score, and the best of the
    results that cover the value from end to end (0: there is none)."""

    best: float
    whole: float = 0.0


class Detector(Protocol):
    """Asks one recognizer, or one pattern of it."""

    @property
    def recognizer(self) -> Any:
        """Presidio's recognizer, whole: its name, entity, context words and thresholds count."""
        ...

    @property
    def gate(self) -> Relaxed:
        """What matches in every value of which `judge` says anything."""
        ...

    @property
    def conditions(self) -> tuple[Relaxed, ...]:
        """One of these does so too, if there are any: narrower, and dearer, than the gate."""
        ...

    def judge(self, text: str, core: Span, met: int) -> Score | None:
        """The scores of a value, if the recognizer finds anything.

        Bit n of ``met`` says whether condition n matches in it.
        """
        ...


def score_of(results: list[Any], core: Span) -> Score | None:
    """The scores of Presidio's results."""
    best = whole = 0.0
    for result in results:
        best = max(best, result.score)
        if result.start <= core.start and result.end >= core.end:
            whole = max(whole, result.score)
    return Score(best, whole) if best > 0 else None


@dataclass(frozen=True)
class RecognizerDetector:
    """A recognizer as it is, or a copy of it with one of its patterns (``asked``).

    To ask pattern by pattern changes nothing of the scores: of a recognizer's results Presidio
    removes only those that lie in another one which scores as high.
    """

    recognizer: Any
    gate: Relaxed
    asked: Any
    conditions: tuple[Relaxed, ...] = ()

    def judge(self, text: str, core: Span, met: int) -> Score | None:  # noqa: ARG002
        return score_of(self.asked.analyze(text, self.asked.supported_entities, None), core)


def pattern_detectors(recognizer: Any) -> list[Detector]:
    """One detector a pattern of a PatternRecognizer."""
    import regex

    detectors: list[Detector] = []
    for pattern in recognizer.patterns:
        asked = copy.copy(recognizer)
        asked.patterns = [copy.copy(pattern)]
        relaxed = compiling(relax(regex, pattern.regex, int(recognizer.global_regex_flags)))
        detectors.append(RecognizerDetector(recognizer, relaxed, asked))
    return detectors


def whole_detector(recognizer: Any) -> Detector:
    """A recognizer of which nothing is known: it is asked about every value."""
    return RecognizerDetector(recognizer, ANY_TEXT, recognizer)


def compiling(relaxed: Relaxed) -> Relaxed:
    """The same, without what is too large for Rust's regex crate to compile."""
    return replace(
        relaxed,
        ascii=relaxed.ascii if _compiles(relaxed.ascii) else "",
        wide=relaxed.wide if _compiles(relaxed.wide) else "",
    )


def _compiles(pattern: str) -> bool:
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError:
        return False
    return True


def detectors_of(recognizer: Any) -> list[Detector]:
    """The detectors that together say what a recognizer says."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IbanRecognizer

    by_pattern = (PatternRecognizer.analyze, IbanRecognizer.analyze)
    if type(recognizer).analyze in by_pattern:
        return pattern_detectors(recognizer)
    return [whole_detector(recognizer)]
