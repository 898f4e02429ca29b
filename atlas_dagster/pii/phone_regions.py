"""Which regions a group of digits can be a valid phone number in, out of python-phonenumbers' data.

A group is what `PhoneNumberMatcher` parses: one or more blocks of digits, with or without a plus
before them. What is said here is necessary for a match, not sufficient: prefixes are taken to be
cut off wherever they could be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from atlas_dagster.pii.characters import ascii_characters_of
from atlas_dagster.pii.pattern_tree import NotUnderstoodError, Place, Reader
from atlas_dagster.pii.pattern_tree import Sequence as Row
from atlas_dagster.pii.relax import relaxed_tree

FEWEST_IN_GROUP = 4
"""A group of fewer digits is nowhere valid."""
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
        abroad = _abroad({rules.code: rules.national for rules, _ in self._rules})
        bits: dict[str, int] = {_compiling(rf"\+(?:{abroad})"): PLUS}
        for rules, bit in self._rules:
            pattern = _compiling(rf"{rules.national}|{rules.code}{rules.national}")
            bits[pattern] = bits.get(pattern, 0) | bit
        self._patterns = list(bits.items())

    def possible(self, groups: Iterable[str]) -> dict[str, int]:
        """The bits of each group: digits of ASCII, a ``+`` before them where there is one.

        Those that are possible nowhere are left out.
        """
        import polars as pl

        dialled = {group: self._dialled(group) for group in groups if group.startswith("0")}
        abroad = {number for calls in dialled.values() for number, _ in calls}
        every = pl.Series("group", [*abroad.union(groups)], dtype=pl.String).to_frame()
        bits = [
            pl.when(pl.col("group").str.contains(pattern)).then(bit).otherwise(0)
            for pattern, bit in self._patterns
        ]
        found = every.with_columns(mask=pl.sum_horizontal(bits)).filter(pl.col("mask") > 0)
        masks = {
            group: self._without_prefix(group, mask) if mask > PLUS else mask
            for group, mask in found.iter_rows()
        }
        for group, calls in dialled.items():
            mask = masks.get(group, 0)
            for number, bit in calls:
                mask |= bit if number in masks else 0
            masks[group] = mask
        return masks

    def _dialled(self, group: str) -> list[tuple[str, int]]:
        """Numbers of other countries that a group may dial, and from where."""
        return [
            (f"+{group[start:]}", bit)
            for rules, bit in self._rules
            if (start := rules.dialling_prefix(group))
        ]

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
        numbers = _any_of(_numbers(sharing))
        self.national = rf"(?:{prefix}){{0,2}}(?:{numbers})$"
        for rewriting in prefixed:
            if rewriting.national_prefix_transform_rule:
                rest = rf"\d*(?:{numbers})$" if _cuts_off(rewriting) else ""
                self.national += rf"|(?:{rewriting.national_prefix_for_parsing}){rest}"
        self.national = f"(?:{self.national})"
        self._dials = re.compile(here.international_prefix) if here.international_prefix else None
        cut_off = [str(self.code), *(each.national_prefix_for_parsing for each in prefixed)]
        self._cut_off = re.compile(_any_of([*cut_off, here.international_prefix or str(self.code)]))
        self._formats = [
            (re.compile(_leading(each)), re.compile(each.pattern), _asks_for_prefix(each))
            for each in sharing[0].number_format
        ]

    def dialling_prefix(self, group: str) -> int:
        """How many digits of a group say that another country is called; 0: it is not."""
        found = self._dials.match(group) if self._dials else None
        return found.end() if found else 0

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


def _abroad(national: Mapping[int, str]) -> str:
    """A pattern of numbers that begin with the code of their country.

    Of the countries that ``national`` has patterns of, these; of others, enough digits.
    """
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.phonemetadata import PhoneMetadata

    numbers = [f"{code}{pattern}" for code, pattern in national.items()]
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if code not in national:
            described = [
                PhoneMetadata.metadata_for_region_or_calling_code(code, each) for each in regions
            ]
            numbers.append(rf"{code}\d{{{min(map(_fewest_digits, described))},}}$")
    return "|".join(numbers)


def _fewest_digits(region: Any) -> int:
    """How many digits of a number have to be written: some are put in the place of a prefix."""
    put = len(re.findall(r"\d", re.sub(r"\\\d", "", region.national_prefix_transform_rule or "")))
    lengths = set(region.general_desc.possible_length)
    for kind in _KINDS:
        lengths.update(getattr(getattr(region, kind), "possible_length", ()))
    return max(1, min(length for length in lengths if length > 0) - put)


def _cuts_off(region: Any) -> bool:
    """Whether a number loses digits at its start only, by the rule that rewrites it.

    So it is if the rule is a group of the prefix's pattern, the last one, with nothing after it.
    """
    rule = re.fullmatch(r"\\([1-9])", region.national_prefix_transform_rule)
    prefix = region.national_prefix_for_parsing
    return (
        rule is not None
        and re.compile(prefix).groups == int(rule[1])
        and re.search(r"\((?!\?)[^()|]*\)[)?]*$", prefix) is not None
    )


def _leading(number_format: Any) -> str:
    patterns = number_format.leading_digits_pattern
    return patterns[-1] if patterns else ""


def _asks_for_prefix(number_format: Any) -> bool:
    """A rule that begins with digits does; one that shows a group alone, in brackets, does not."""
    rule = number_format.national_prefix_formatting_rule or ""
    return rule[:1].isdigit() and not number_format.national_prefix_optional_when_formatting
