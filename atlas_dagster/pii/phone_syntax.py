"""What python-phonenumbers lets stand in a phone number, as it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from atlas_dagster.pii.relax import Relaxed, any_of, relax

FLAGS = int(re.UNICODE | re.IGNORECASE)
FEWEST_DIGITS = 3
"""Fewer digits than these are never viable, or they are two digits, which are never valid."""


@dataclass(frozen=True)
class PhoneSyntax:
    """Contents of classes of characters, and the pattern of an extension."""

    punctuation: str
    leading: str
    extension: str

    @property
    def gap(self) -> str:
        """What may stand between two digits."""
        return f"[{self.punctuation}]{{0,4}}"

    def digits(self) -> re.Pattern[str]:
        """Digits as far as one match can reach, first to last, in a text without extensions."""
        return re.compile(rf"\d(?:[{self.punctuation}{self.leading}\d]*\d)?", FLAGS)

    def signs(self) -> frozenset[str]:
        """What may stand in a match, before its digits or between them."""
        signs = re.compile(f"[{self.punctuation}{self.leading}]", FLAGS)
        return frozenset(signs.findall("".join(map(chr, range(0x10000)))))

    def extensions(self) -> re.Pattern[str]:
        """Where a match may go on beyond its run."""
        return re.compile(rf"\d(?:{self.extension})", FLAGS)

    def letters(self) -> re.Pattern[str]:
        """Where letters may count as digits, in a run: there have to be three of them."""
        return re.compile(r"(?:[^x]*x){3}", FLAGS)

    def gate(self) -> Relaxed:
        """What is in every text with a valid number: enough digits, or what may count as some."""
        digits = rf"\d(?:{self.gap}\d){{{FEWEST_DIGITS - 1}}}"
        return any_of((relax(re, digits, FLAGS), relax(re, self._others, FLAGS)))

    def letters_or_extension(self) -> str:
        """For Rust: what is in every text in which a number may hold more than digits and signs."""
        return relax(re, self._others, FLAGS).wide

    @property
    def _others(self) -> str:
        return rf"\d(?:{self.extension})|x{self.gap}\d|\d{self.gap}x"


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
