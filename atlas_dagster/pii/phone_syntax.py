"""What is in every text that holds a valid phone number, out of python-phonenumbers' own data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from atlas_dagster.pii.characters import ASCII_END, BEYOND_ASCII, Characters, ascii_characters_of
from atlas_dagster.pii.pattern_tree import (
    Choice,
    NotUnderstoodError,
    Place,
    Reader,
    Repeat,
    Sequence,
    Tree,
)
from atlas_dagster.pii.relax import ANY_TEXT, Relaxed, relax, relaxed_tree

FLAGS = int(re.UNICODE | re.IGNORECASE)
_ASCII_DIGITS = frozenset(map(ord, "0123456789"))
_NO_DIGIT = Characters(frozenset(range(ASCII_END)) - _ASCII_DIGITS, BEYOND_ASCII)
_BLOCK_START = Choice((Place.LINE_START, _NO_DIGIT))
_BLOCK_END = Choice((Place.LINE_END, _NO_DIGIT))
FEWEST_DIGITS = 3
"""Fewer digits than these are never viable, or they are two digits, which are never valid."""
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


@dataclass(frozen=True)
class PhoneSyntax:
    """What python-phonenumbers lets stand in a phone number: contents of classes, and a pattern."""

    punctuation: str
    leading: str
    extension: str

    @property
    def gap(self) -> str:
        """What may stand between two digits."""
        return f"[{self.punctuation}]{{0,4}}"

    def runs(self) -> re.Pattern[str]:
        """Stretches of text that hold whole matches, in a text without extensions."""
        return re.compile(rf"[{self.punctuation}{self.leading}\d]+", FLAGS)

    def extensions(self) -> re.Pattern[str]:
        """Where a match may go on beyond its run."""
        return re.compile(rf"\d(?:{self.extension})", FLAGS)

    def with_letters(self) -> Relaxed:
        """Texts in which letters may be taken for digits, or end in an extension."""
        return relax(re, rf"\d(?:{self.extension})|x{self.gap}\d|\d{self.gap}x", FLAGS)

    def with_plus(self) -> Relaxed:
        """Texts with a number that names its country, whichever that is."""
        return relax(re, rf"[+\uFF0B]{self.gap}(?:[{self.leading}]{self.gap})?\d", FLAGS)

    def of_region(self, region: str) -> Relaxed:
        """Other texts with a number that is valid where it is dialled from ``region``.

        Some block of digits begins with a prefix, or a valid number of the region's calling code
        itself, and it or a later one ends as the number does; or it begins as a call to another
        country does. Only in blocks of more than 20 digits a number may begin or end elsewhere.
        """
        try:
            ascii_pattern = relaxed_tree(self._of_region(region)).ascii
        except NotUnderstoodError:
            return ANY_TEXT
        return replace(self.with_digits(), ascii=ascii_pattern)

    def _of_region(self, region: str) -> Tree:
        from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, country_code_for_region
        from phonenumbers.phonemetadata import PhoneMetadata

        dialled: Any = PhoneMetadata.metadata_for_region(region)
        code = country_code_for_region(region)
        described: list[Any] = [
            PhoneMetadata.metadata_for_region_or_calling_code(code, each)
            for each in COUNTRY_CODE_TO_REGION_CODE[code]
        ]
        strips = [each for each in (dialled, described[0]) if each.national_prefix_for_parsing]
        prefix = _any_of(each.national_prefix_for_parsing for each in strips)
        numbers = _any_of(_number_patterns(described))
        whole = f"(?:{code})?(?:{prefix}){{0,2}}(?:{numbers})"
        abroad = dialled.international_prefix
        starts = [f"(?:{abroad})[1-9]"] if abroad else []  # no country's code begins with 0
        if any(each.national_prefix_transform_rule for each in strips):
            starts.append(f"(?:{code})?(?:{prefix})")  # what becomes of the rest is not known
        return Choice(
            (
                Sequence((_BLOCK_START, self._spread(whole), _BLOCK_END)),
                *(Sequence((_BLOCK_START, self._spread(start))) for start in starts),
                self._spread(r"\d{21}"),
            )
        )

    def with_digits(self) -> Relaxed:
        """Texts with digits enough for a number that is viable, and is none of two digits."""
        return relax(re, rf"\d(?:{self.gap}\d){{{FEWEST_DIGITS - 1}}}", FLAGS)

    def _spread(self, pattern: str) -> Tree:
        """A pattern of digits alone, for digits with gaps between them."""
        gap = Repeat(ascii_characters_of(re, f"[{self.punctuation}]", FLAGS), 0, 4)
        return _with_gaps(Reader(re, pattern, 0, ascii_characters_of).read(), gap)


def phone_syntax() -> PhoneSyntax | None:
    """What python-phonenumbers does not publish; None where a version does not have it so."""
    from phonenumbers import phonenumbermatcher

    punctuation = getattr(phonenumbermatcher, "_VALID_PUNCTUATION", None)
    leading = getattr(phonenumbermatcher, "_LEAD_CLASS_CHARS", None)
    extension = getattr(phonenumbermatcher, "_EXTN_PATTERNS_FOR_MATCHING", None)
    pattern = getattr(phonenumbermatcher, "_PATTERN", None)
    if not punctuation or not leading or not extension or not pattern:
        return None
    signs, digits = f"[{punctuation}]{{0,4}}", r"\d{1,20}"
    known = f"(?:[{leading}]{signs}){{0,2}}{digits}(?:{signs}{digits}){{0,20}}(?:{extension})?"
    if pattern.pattern != known or pattern.flags != FLAGS:
        return None
    return PhoneSyntax(punctuation, leading, extension)


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in sorted(set(patterns)))


def _number_patterns(described: Iterable[Any]) -> Iterable[str]:
    for region in described:
        for kind in _KINDS:
            description = getattr(region, kind)
            if description is not None and description.national_number_pattern:
                yield description.national_number_pattern


def _with_gaps(tree: Tree, gap: Repeat) -> Tree:
    match tree:
        case Characters():
            return Sequence((tree, gap))
        case Repeat(part, least, most):
            return Repeat(_with_gaps(part, gap), least, most)
        case Choice(parts):
            return Choice(tuple(_with_gaps(part, gap) for part in parts))
        case Sequence(parts):
            return Sequence(tuple(_with_gaps(part, gap) for part in parts))
        case _:
            raise NotUnderstoodError
