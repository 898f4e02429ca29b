"""Which regions a group of digits can be a valid phone number in, out of python-phonenumbers' data.

A group is what `PhoneNumberMatcher` parses: one or more blocks of digits, with or without a plus
before them. What is said here is necessary for a match, not sufficient: prefixes are taken to be
cut off wherever they could be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from atlas_dagster.pii.pattern_tree import NotUnderstoodError, Place, Reader, Sequence as Row
from atlas_dagster.pii.characters import ascii_characters_of
from atlas_dagster.pii.relax import relaxed_tree

PLUS = 1
"""The bit of groups that may be valid whatever region they are dialled from."""
ANYWHERE = -1

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


class PhoneRegions:
    """Says of groups where they can be valid: a bit for each region, and one for a plus."""

    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = [(region, PLUS << number) for number, region in enumerate(regions, 1)]
        self._rules = [(_Rules(region), bit) for region, bit in self.regions]
        codes = {str(rules.code): rules for rules, _ in self._rules}
        known = _any_of(rf"{code}{rules.national}" for code, rules in codes.items())
        self._patterns = [(rules.pattern, bit) for rules, bit in self._rules]
        self._patterns.append((_compiling(rf"\+(?:{known}|{_other(list(codes))})"), PLUS))

    def possible(self, groups: Sequence[str]) -> dict[str, int]:
        """The bits of each group: digits of ASCII, a ``+`` before them where there is one."""
        import polars as pl

        series = pl.Series("group", groups, dtype=pl.String)
        bits = [
            pl.when(pl.col("group").str.contains(pattern)).then(bit).otherwise(0)
            for pattern, bit in self._patterns
        ]
        masks = series.to_frame().select(pl.sum_horizontal(bits)).to_series().to_list()
        return {
            group: self._without_prefix(group, mask) if mask > PLUS else mask
            for group, mask in zip(groups, masks, strict=True)
        }

    def _without_prefix(self, group: str, mask: int) -> int:
        for rules, bit in self._rules:
            if mask & bit and rules.lacks_prefix(group):
                mask &= ~bit
        return mask


class _Rules:
    """What is valid where it is dialled from one region."""

    def __init__(self, region: str) -> None:
        from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, country_code_for_region
        from phonenumbers.phonemetadata import PhoneMetadata

        here: Any = PhoneMetadata.metadata_for_region(region)
        self.code = country_code_for_region(region)
        sharing: list[Any] = [
            PhoneMetadata.metadata_for_region_or_calling_code(self.code, each)
            for each in COUNTRY_CODE_TO_REGION_CODE[self.code]
        ]
        prefixed = [each for each in (here, sharing[0]) if each.national_prefix_for_parsing]
        prefix = _any_of(each.national_prefix_for_parsing for each in prefixed)
        starts = [rf"(?:{here.international_prefix})[1-9]"] if here.international_prefix else []
        if any(each.national_prefix_transform_rule for each in prefixed):
            starts.append(rf"(?:{self.code})?(?:{prefix})")  # what becomes of the rest is not known
        self.national = rf"(?:{prefix}){{0,2}}(?:{_any_of(_numbers(sharing))})$"
        known = rf"(?:{self.code})?{self.national}"
        self.pattern = _compiling("|".join([known, *starts]))
        cut_off = [str(self.code), *(each.national_prefix_for_parsing for each in prefixed)]
        if here.international_prefix:
            cut_off.append(here.international_prefix)
        self._cut_off = re.compile(_any_of(cut_off))
        self._formats = [
            (re.compile(_leading(each)), re.compile(each.pattern), _asks_for_prefix(each))
            for each in sharing[0].number_format
        ]

    def lacks_prefix(self, group: str) -> bool:
        """Whether a national prefix is missing: the first format that fits a number decides."""
        if self._cut_off.match(group):
            return False
        for leading, pattern, asks_for_prefix in self._formats:
            if leading.match(group) and pattern.fullmatch(group):
                return asks_for_prefix
        return False


def _compiling(pattern: str) -> str:
    """A pattern of digits, for Rust, that has to match from the start; ``""``: any digits."""
    try:
        tree = Reader(re, pattern, re.MULTILINE, ascii_characters_of).read()
    except NotUnderstoodError:
        return ""
    return relaxed_tree(Row((Place.LINE_START, tree))).ascii


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in sorted(set(patterns)))


def _numbers(regions: Iterable[Any]) -> Iterable[str]:
    for region in regions:
        for kind in _KINDS:
            described = getattr(region, kind)
            if described is not None and described.national_number_pattern:
                yield described.national_number_pattern


def _other(codes: Sequence[str]) -> str:
    """A pattern for digits that begin with none of some calling codes, and not with 0 either.

    What begins with 0 after a plus is no country's; it is taken for the digits without the plus.
    """
    starts = {code[:length] for code in codes for length in range(len(code))}
    others = [
        start + digit
        for start in sorted(starts)
        for digit in "0123456789"
        if start + digit not in codes and start + digit not in starts and start + digit != "0"
    ]
    return "|".join(others)


def _leading(number_format: Any) -> str:
    patterns = number_format.leading_digits_pattern
    return patterns[-1] if patterns else ""


def _asks_for_prefix(number_format: Any) -> bool:
    """A rule that begins with digits does; one that shows a group alone, in brackets, does not."""
    rule = number_format.national_prefix_formatting_rule or ""
    return rule[:1].isdigit() and not number_format.national_prefix_optional_when_formatting
