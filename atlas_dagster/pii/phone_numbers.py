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
import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from atlas_dagster.pii.detectors import (
    Detector,
    Outcome,
    Score,
    Settled,
    compiling,
    core_of,
    whole_detector,
)
from atlas_dagster.pii.phone_regions import ANYWHERE, FEWEST_IN_GROUP, PLUS, PhoneRegions
from atlas_dagster.pii.phone_syntax import PhoneSyntax, phone_syntax

_MOST_REMEMBERED = 50_000
_BATCH = 2_000
_MOST_BLOCKS = 8
_LONGEST_BLOCK = 20
_NOWHERE = "0"
"""A group that is valid nowhere, of runs that have no other."""
_LETTER = "a"
_LETTERS = dict.fromkeys(string.ascii_letters, _LETTER)
"""They are all the same to the matcher, next to a number."""
_PLUS_SIGNS = "+\uff0b"


class _Groups(NamedTuple):
    """The groups of digits that a match in a run can be: ``full`` ones of all of it, and others.

    Without any, nothing is known of the run, and every region is asked. ``abroad``: it begins with
    the code of a country, so that a match of all of it is one in every region or in none.
    """

    full: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    abroad: bool = False


class _Run(NamedTuple):
    """A stretch of text, up to a digit, that holds whole matches. ``around`` is its text with what
    the matcher looks at around it; None where the run is the whole value."""

    groups: _Groups
    around: str | None


class PhoneDetector:
    """Says what a PhoneRecognizer says, of leniency VALID or stricter."""

    settled: Settled | None = None

    def __init__(self, recognizer: Any, syntax: PhoneSyntax) -> None:
        from phonenumbers import PhoneNumberMatcher

        self.recognizer = recognizer
        self.gate = compiling(syntax.gate())
        self._matcher: Any = PhoneNumberMatcher
        # An attempt costs the matcher one of its tries, and no character more than 7 of them.
        self._longest = inspect.signature(PhoneNumberMatcher).parameters["max_tries"].default // 7
        self._known = PhoneRegions(list(dict.fromkeys(recognizer.supported_regions)))
        self._regions = list(self._known.regions)
        self._digits = syntax.digits()
        self._signs = syntax.signs()
        self._extensions = syntax.extensions()
        self._letters = syntax.letters()
        self._block = re.compile(r"\d+")
        self._time = re.compile(r":[0-5]\d")
        self._found = Score(recognizer.SCORE)
        self._covered = Score(recognizer.SCORE, recognizer.SCORE)
        self._remembered: dict[str, bool] = {}
        self._groups: dict[str, _Groups] = {}
        self._masks: dict[str, int] = {}
        self._may_go_beyond = syntax.letters_or_extension()

    def scores(self, texts: Sequence[str]) -> Iterator[Outcome]:
        """The scores of some values."""
        import polars as pl

        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            beyond = pl.Series("text", batch, dtype=pl.String).str.contains(self._may_go_beyond)
            yield from self._batch(batch, list(map(self._split, batch, beyond)))

    def _batch(self, texts: Sequence[str], several: list[list[_Run] | None]) -> list[Outcome]:
        """The scores of values; parts of one matter only where no number covers it."""
        self._learn(
            group
            for runs in several
            for groups, around in runs or ()
            for group in (groups.full if around is None else groups.full + groups.parts)
        )
        outcomes: list[Outcome] = list(map(self._value, texts, several))
        left = {
            place: runs[0].groups
            for place, runs in enumerate(several)
            if runs and outcomes[place] is not self._covered and _has_parts(runs[0])
        }
        self._learn(group for groups in left.values() for group in groups.full + groups.parts)
        for place, groups in left.items():
            # With an extension behind it, a part may cover the whole value too.
            mask = self._mask(groups.full + groups.parts)
            outcomes[place] = self._whole(texts[place], mask, groups.abroad)
        return outcomes

    def _learn(self, groups: Iterable[str]) -> None:
        """Find out where groups can be valid."""
        if len(self._masks) >= _MOST_REMEMBERED:
            self._masks.clear()
        unknown = set(groups).difference(self._masks)
        if not unknown:
            return
        self._masks.update(dict.fromkeys(unknown, 0))
        self._masks.update(self._known.possible(unknown))

    def _mask(self, groups: Iterable[str]) -> int:
        mask = 0
        for group in groups:
            mask |= self._masks[group]
        return mask

    def _split(self, text: str, may_go_beyond: bool) -> list[_Run] | None:
        """The runs of a text; None where its matches may go beyond them."""
        if len(text) > self._longest or (may_go_beyond and self._extensions.search(text)):
            return None
        core = core_of(text)
        runs: list[_Run] = []
        for found in self._digits.finditer(text):
            start, end = found.span()
            if end - start < FEWEST_IN_GROUP and not may_go_beyond:
                continue
            while start and text[start - 1] in self._signs:
                start -= 1
            run = text[start:end]
            if start <= core.start and end >= core.end:
                return [_Run(self._groups_of(run), None)]
            around = self._surrounded(text, start, end)
            if self._remembered.get(around) is not False:
                groups = self._groups.get(around) or self._grouped(run, around)
                runs.append(_Run(groups, around))
        return runs

    def _grouped(self, run: str, around: str) -> _Groups:
        if len(self._groups) >= _MOST_REMEMBERED:
            self._groups.clear()
        # The matcher has no number begin or end right beside a Latin letter.
        begins = not (around[0] == _LETTER and run[0].isdigit())
        groups = self._groups[around] = self._groups_of(run, begins, around[-1] != _LETTER)
        return groups

    def _groups_of(self, run: str, begins: bool = True, ends: bool = True) -> _Groups:
        """The groups of a run, without those of its first digits or its last ones where no match
        can begin or end with these."""
        if run.isascii() and run.isdigit() and len(run) <= _LONGEST_BLOCK:
            return _Groups((run if begins and ends else _NOWHERE,))
        blocks = [block.span() for block in self._block.finditer(run)]
        if (
            len(blocks) > _MOST_BLOCKS
            or any(end - start > _LONGEST_BLOCK for start, end in blocks)
            or not run.isascii()
            or self._letters.search(run)
        ):
            return _Groups()
        full, parts = [_NOWHERE], list[str]()
        before = 0
        last_end = blocks[-1][1]
        for number, (first, last) in enumerate(blocks):
            with_plus = "+" in run[before:first]
            before = last
            if number == 0 and not begins:
                continue
            group = ""
            for start, end in blocks[number:]:
                if end == last_end and not ends:
                    break
                group += run[start:end]
                if len(group) >= FEWEST_IN_GROUP:
                    groups = full if number == 0 and end == last_end else parts
                    groups.append(group)
                    if with_plus:
                        groups.append(f"+{group}")
        first = blocks[0][0]
        abroad = "+" in run[:first] and run[first] != "0"
        return _Groups(tuple(full), tuple(parts), abroad)

    def _value(self, text: str, runs: list[_Run] | None) -> Score | None:
        if runs is None:
            return self._whole(text, ANYWHERE, abroad=False)
        found = False
        for groups, around in runs:
            mask = self._mask(groups.full) if groups.full else ANYWHERE
            if around is None:
                return self._whole(text, mask, groups.abroad) if mask else None
            found = found or self._any(around, mask | self._mask(groups.parts))
        return self._found if found else None

    def _whole(self, text: str, mask: int, abroad: bool) -> Score | None:
        """Of a value that one match may cover: only the first match of a region can."""
        core, found = core_of(text), False
        if mask & PLUS and any(sign in text for sign in _PLUS_SIGNS):
            match = self._first(text, None)
            if match is not None and match.start <= core.start and match.end >= core.end:
                return self._covered
            found = match is not None
        if abroad:
            return self._found if found or self._ask(text, mask & ~PLUS) else None
        for region, bit in list(self._regions):
            if not mask & bit:
                continue
            match = self._first(text, region)
            if match is None:
                continue
            found = True
            if match.start <= core.start and match.end >= core.end:
                self._ask_first_next(region, bit)
                return self._covered
        return self._found if found else None

    def _any(self, text: str, mask: int) -> bool:
        known = self._remembered.get(text)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[text] = bool(mask) and self._ask(text, mask)
        return known

    def _ask(self, text: str, mask: int) -> bool:
        if mask & PLUS and self._first(text, None) is not None:
            return True
        for region, bit in list(self._regions):
            if mask & bit and self._first(text, region) is not None:
                self._ask_first_next(region, bit)
                return True
        return False

    def _ask_first_next(self, region: str, bit: int) -> None:
        """The values of one field are numbers of one country."""
        self._regions.remove((region, bit))
        self._regions.insert(0, (region, bit))

    def _first(self, text: str, region: str | None) -> Any:
        """The first match of a region; of None: the first number that names its country."""
        matcher = self._matcher(text, region, leniency=self.recognizer.leniency)
        return matcher.next() if matcher.has_next() else None

    def _surrounded(self, text: str, start: int, end: int) -> str:
        """A run with all that the matcher looks at around it, one letter standing for any."""
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if after == ":" and self._time.match(text, end):
            after = ":00"
        run = text[start:end]
        return f"{_LETTERS.get(before, before)}{run}{_LETTERS.get(after, after)}"


def _has_parts(run: _Run) -> bool:
    return run.around is None and bool(run.groups.parts)


def phone_detector(recognizer: Any) -> Detector:
    """The detector of a PhoneRecognizer; the recognizer itself where it is too lenient for it."""
    syntax = phone_syntax()
    if syntax is None or recognizer.leniency < 1:
        return whole_detector(recognizer)
    return PhoneDetector(recognizer, syntax)
