"""Presidio's recognizers, one pattern at a time: when each is worth asking, and what it says."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from atlas_dagster.pii.alike import stand_ins
from atlas_dagster.pii.relax import ANY_TEXT, Relaxed, relax

_LONGEST_KNOWN = 64
_LONGEST_VALIDATED = 10_000
"""Presidio gives up on a pattern after a minute, which takes a longer text than this."""
_MOST_KNOWN = 50_000
_PLAIN_LOCAL = re.compile(r"[\w.+-]*")
"""No sign in it parts a URL: tldextract reads what stands after the `@`, and nothing else."""


class Span(NamedTuple):
    """Where a value stands in its text: what of it is not white space around it."""

    start: int
    end: int


class Score(NamedTuple):
    """What a recognizer says of one value, before context: its best score, and the best of the
    results that cover the value from end to end (0: there is none)."""

    best: float
    whole: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A recognizer raised: the kind of its error, whose text may hold the value."""

    kind: str


Outcome: TypeAlias = Score | Failure | None
"""What a recognizer says of a value; None: it finds nothing."""


class Detector(Protocol):
    """Asks one recognizer, or one pattern of it."""

    @property
    def recognizer(self) -> Any:
        """Presidio's recognizer, whole: its name, entity, context words and thresholds count."""
        ...

    @property
    def gate(self) -> Relaxed:
        """What matches in every value in which anything is found."""
        ...

    @property
    def settled(self) -> Settled | None:
        """What need not be asked of the values that the gate matches."""
        ...

    def scores(self, texts: Sequence[str]) -> Iterator[Outcome]:
        """What the recognizer says of each of some values."""
        ...


@dataclass(frozen=True)
class Settled:
    """What a match of the gate says of a value of ASCII: this score, for the whole or a part.

    It is the whole if the pattern ``first``, in Rust's syntax, has it as its first match, which it
    can only where ``whole`` matches too. ``""``: that has to be asked.
    """

    score: float
    whole: str
    first: str


def asked(recognizer: Any, text: str) -> Outcome:
    """What a recognizer says of a value, as Presidio asks it."""
    try:
        results = recognizer.analyze(text, recognizer.supported_entities, None)
    except Exception as error:  # noqa: BLE001
        return Failure(type(error).__name__)
    if not results:
        return None
    core = core_of(text)
    best = whole = 0.0
    for result in results:
        best = max(best, result.score)
        if result.start <= core.start and result.end >= core.end:
            whole = max(whole, result.score)
    return Score(best, whole) if best > 0 else None


def core_of(text: str) -> Span:
    """Where a value stands without the white space around it."""
    if text and not text[0].isspace() and not text[-1].isspace():
        return Span(0, len(text))
    end = len(text.rstrip())
    return Span(min(end, len(text) - len(text.lstrip())), end)


@dataclass(frozen=True)
class RecognizerDetector:
    """A recognizer, asked as it is."""

    recognizer: Any
    gate: Relaxed
    settled: Settled | None = None

    def scores(self, texts: Sequence[str]) -> Iterator[Outcome]:
        """What the recognizer says of each of some values."""
        return (asked(self.recognizer, text) for text in texts)


class PatternDetector:
    """A recognizer with one of its patterns.

    To ask pattern by pattern changes nothing of the scores: of a recognizer's results Presidio
    removes only those that lie in another one which scores as high.

    Where a recognizer does not look at what a pattern matched (``validates``: it has a check sum,
    say), a match is a result with the pattern's score. Then most values need not be asked about,
    and of texts that the pattern cannot tell apart only the first.
    """

    def __init__(self, recognizer: Any, pattern: Any, validates: bool) -> None:
        import regex

        flags = int(recognizer.global_regex_flags)
        self.recognizer = recognizer
        self.gate = compiling(relax(regex, pattern.regex, flags))
        self.settled: Settled | None = None
        self._asked = copy.copy(recognizer)
        self._asked.patterns = [copy.copy(pattern)]
        self._stand_ins = None if validates else stand_ins(regex, pattern.regex, flags)
        self._known: dict[str, Outcome] = {}
        self._pattern_score = float(pattern.score)
        self._matches: Any = None
        self._domain_decides = _asks_for_a_domain(recognizer)
        self._domains: dict[str, bool | None] = {}
        if validates and has_plain_analyze(recognizer):
            self._matches = regex.compile(pattern.regex, flags).finditer
        if self.gate.exact and not validates and pattern.score > 0:
            whole, first = self.gate.ascii_whole, self.gate.ascii_first
            if _compiles(whole):
                self.settled = Settled(float(pattern.score), whole, first * _compiles(first))

    def scores(self, texts: Sequence[str]) -> Iterator[Outcome]:
        """What the recognizer says of each of some values."""
        if self._matches is not None:
            return map(self._validated, texts)
        if self._stand_ins is None:
            return (asked(self._asked, text) for text in texts)
        return (self._score(text, self._stand_ins) for text in texts)

    def _validated(self, text: str) -> Outcome:
        """What `PatternRecognizer.analyze` says, without all that it writes down beside it."""
        if len(text) > _LONGEST_VALIDATED:
            return asked(self._asked, text)
        core = core_of(text)
        best = whole = 0.0
        try:
            for match in self._matches(text):
                score = self._checked(match[0]) if match[0] else 0.0
                best = max(best, score)
                if match.start() <= core.start and match.end() >= core.end:
                    whole = max(whole, score)
        except Exception as error:  # noqa: BLE001
            return Failure(type(error).__name__)
        return Score(best, whole) if best > 0 else None

    def _checked(self, matched: str) -> float:
        valid = self._valid(matched)
        if self.recognizer.invalidate_result(matched):
            return 0.0
        if valid is None:
            return self._pattern_score
        return self.recognizer.MAX_SCORE if valid else 0.0

    def _valid(self, matched: str) -> bool | None:
        """What the recognizer's check says; of e-mail addresses at one domain it says the same."""
        local, at, domain = matched.rpartition("@")
        if not (self._domain_decides and at and _PLAIN_LOCAL.fullmatch(local)):
            return self.recognizer.validate_result(matched)
        if domain not in self._domains:
            if len(self._domains) >= _MOST_KNOWN:
                self._domains.clear()
            self._domains[domain] = self.recognizer.validate_result(matched)
        return self._domains[domain]

    def _score(self, text: str, stand_ins: str) -> Outcome:
        if len(text) > _LONGEST_KNOWN or not text.isascii():
            return asked(self._asked, text)
        alike = text.translate(stand_ins)
        if alike not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[alike] = asked(self._asked, text)
        return self._known[alike]


def whole_detector(recognizer: Any) -> Detector:
    """A recognizer of which nothing is known: it is asked about every value."""
    return RecognizerDetector(recognizer, ANY_TEXT)


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


def has_plain_analyze(recognizer: Any) -> bool:
    """Whether a recognizer goes through the matches of its patterns as PatternRecognizer does."""
    from presidio_analyzer import PatternRecognizer

    return type(recognizer).analyze is PatternRecognizer.analyze


def _asks_for_a_domain(recognizer: Any) -> bool:
    """Whether a recognizer's check is the one of e-mail addresses: whether the domain exists."""
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    return cast("Any", type(recognizer)).validate_result is EmailRecognizer.validate_result


def detectors_of(recognizer: Any) -> list[Detector]:
    """The detectors that together say what a recognizer says."""
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IbanRecognizer

    kind = cast("Any", type(recognizer))
    plain: Any = PatternRecognizer
    if not has_plain_analyze(recognizer) and kind.analyze is not IbanRecognizer.analyze:
        return [whole_detector(recognizer)]
    validates = (
        not has_plain_analyze(recognizer)
        or kind.validate_result is not plain.validate_result
        or kind.invalidate_result is not plain.invalidate_result
    )
    return [PatternDetector(recognizer, one, validates) for one in recognizer.patterns]
