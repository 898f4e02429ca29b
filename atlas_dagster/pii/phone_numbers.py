"""Presidio's PhoneRecognizer, asked piece by piece, because python-phonenumbers is what costs most.

The recognizer runs one `PhoneNumberMatcher` a region over a text, and gives every match one score.
A scan asks for less than where the matches are: whether there is one, and whether one covers the
value. So the first region that settles it ends the search, regions of which no number can be in
the text are left out, and what stands between characters that no number holds is asked about by
itself, and remembered.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from atlas_dagster.pii.detectors import Detector, Score, Span, compiling, whole_detector
from atlas_dagster.pii.phone_syntax import FEWEST_DIGITS, PhoneSyntax, phone_syntax
from atlas_dagster.pii.relax import any_of

_MOST_REMEMBERED = 200_000
_LETTERS, _PLUS, _FIRST_REGION = 0, 1, 2
"""The places of the detector's conditions."""


class PhoneDetector:
    """Says what a PhoneRecognizer says, of leniency VALID or stricter."""

    def __init__(self, recognizer: Any, syntax: PhoneSyntax) -> None:
        from phonenumbers import PhoneNumberMatcher

        regions = list(dict.fromkeys(recognizer.supported_regions))
        conditions = [
            syntax.with_letters(),
            syntax.with_plus(),
            *(syntax.of_region(region) for region in regions),
        ]
        self.recognizer = recognizer
        self.gate = compiling(any_of((syntax.with_digits(), syntax.with_letters())))
        self.conditions = tuple(map(compiling, conditions))
        self._matcher: Any = PhoneNumberMatcher
        # An attempt costs the matcher one of its tries, and no character more than 7 of them.
        self._longest = inspect.signature(PhoneNumberMatcher).parameters["max_tries"].default // 7
        self._regions = [(region, 1 << place + _FIRST_REGION) for place, region in enumerate(regions)]
        self._runs = syntax.runs()
        self._extensions = syntax.extensions()
        self._digit = re.compile(r"\d")
        self._time = re.compile(r":[0-5]\d")
        self._found = Score(recognizer.SCORE)
        self._covered = Score(recognizer.SCORE, recognizer.SCORE)
        self._remembered: dict[str, bool] = {}

    def judge(self, text: str, core: Span, met: int) -> Score | None:
        if len(text) > self._longest or self._extensions.search(text):
            return self._value(text, core, -1)
        if met & 1 << _LETTERS:
            met = -1
        found = False
        for run in self._runs.finditer(text):
            start, end = run.span()
            if len(self._digit.findall(text, start, end)) < FEWEST_DIGITS:
                continue
            if start <= core.start and end >= core.end:
                return self._value(text, core, met)
            found = found or self._any(self._surrounded(text, start, end), met)
        return self._found if found else None

    def _value(self, text: str, core: Span, met: int) -> Score | None:
        """Of a value that one match may cover: only the first match of a region can."""
        found = False
        if met & 1 << _PLUS:
            match = self._first(text, None)
            if match is not None and match.start <= core.start and match.end >= core.end:
                return self._covered
            found = match is not None
        for place, (region, bit) in enumerate(self._regions):
            if not met & bit:
                continue
            match = self._first(text, region)
            if match is None:
                continue
            found = True
            if match.start <= core.start and match.end >= core.end:
                # Values of one field are numbers of one country: ask it first the next time.
                self._regions.insert(0, self._regions.pop(place))
                return self._covered
        return self._found if found else None

    def _any(self, text: str, met: int) -> bool:
        known = self._remembered.get(text)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[text] = self._ask(text, met)
        return known

    def _ask(self, text: str, met: int) -> bool:
        if met & 1 << _PLUS and self._first(text, None) is not None:
            return True
        return any(
            met & bit and self._first(text, region) is not None for region, bit in self._regions
        )

    def _first(self, text: str, region: str | None) -> Any:
        """The first match of a region; of None: the first number that names its country."""
        matcher = self._matcher(text, region, leniency=self.recognizer.leniency)
        return matcher.next() if matcher.has_next() else None

    def _surrounded(self, text: str, start: int, end: int) -> str:
        """A run with all that the matcher looks at around it, one letter standing for any."""
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if after == ":" and self._time.match(text, end):
            after = ":00"
        return f"{_letter(before)}{text[start:end]}{_letter(after)}"


def _letter(around: str) -> str:
    return "a" if around.isascii() and around.isalpha() else around


def phone_detector(recognizer: Any) -> Detector:
    """The detector of a PhoneRecognizer; the recognizer itself where it is too lenient for it."""
    syntax = phone_syntax()
    if syntax is None or recognizer.leniency < 1:
        return whole_detector(recognizer)
    return PhoneDetector(recognizer, syntax)
