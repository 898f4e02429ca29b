"""A relaxed pattern matches in every text in which the pattern does."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import polars as pl
import pytest
import regex

from atlas_dagster.pii.alike import stand_ins
from atlas_dagster.pii.relax import ANY_TEXT, Relaxed, relax

ALL = int(regex.IGNORECASE | regex.MULTILINE | regex.DOTALL)

PIECES = [
    *("a", "K", "s", "1", "-", " ", ".", "_", "é", r"\.", r"\d", r"\w", r"\s", r"\D", r"\W"),
    *("[a-c]", "[^a]", "[0-9]", r"[\w-]", "[K-S]", r"[^\s1]", r"\x41", r"\-", "[sk]", "(?:)"),
]
PLACES = [r"\b", r"\B", "^", "$", r"\A", r"\Z"]
LOOKS = ["(?={})", "(?!{})", "(?<={})", "(?<!{})"]
TIMES = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{2,}", "{40}", "{1,50}", "*?", "+?", "++", "?+"]
LETTERS = "aAbcKkſKsS1209-_ .\n\té٣３ßİı字"


def random_pattern(chance: random.Random, depth: int = 3) -> str:
    """A pattern of the syntax that recognizers use."""
    parts: list[str] = []
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        if depth and kind < 0.25:
            inside = random_pattern(chance, depth - 1)
            opening = chance.choice(["(", "(?:", "(?>", f"(?P<n{chance.random()}>"[:5] + ">"])
            part = f"{'(' if '<n' in opening else opening}{inside})"
        elif depth and kind < 0.35:
            parts.append(chance.choice(LOOKS).format(chance.choice(PIECES)))
            continue
        elif kind < 0.45:
            parts.append(chance.choice(PLACES))
            continue
        elif kind < 0.5:
            part = r"\1"
        else:
            part = chance.choice(PIECES)
        parts.append(part + (chance.choice(TIMES) if chance.random() < 0.35 else ""))
    if depth and chance.random() < 0.25:
        parts.append(f"|{random_pattern(chance, depth - 1)}")
    return "".join(parts)


def random_texts(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(LETTERS, k=chance.randint(0, 9))) for _ in range(count)]


def matching(relaxed: Relaxed, texts: Sequence[str]) -> list[bool]:
    """Whether Rust finds the relaxed pattern in each text."""
    found = {
        kind: pl.Series("text", texts).str.contains(pattern) if pattern else [True] * len(texts)
        for kind, pattern in ((True, relaxed.ascii), (False, relaxed.wide))
    }
    return [bool(found[text.isascii()][place]) for place, text in enumerate(texts)]


@pytest.mark.parametrize("seed", range(8))
def test_wherever_a_random_pattern_matches_its_relaxed_one_does(seed: int) -> None:
    chance = random.Random(seed)
    told_apart = exact = 0
    for _ in range(150):
        pattern, flags = random_pattern(chance), chance.choice([ALL, 0, int(regex.I), int(regex.M)])
        try:
            compiled = regex.compile(pattern, flags)
        except regex.error:
            continue
        relaxed = relax(regex, pattern, flags)
        texts = random_texts(chance, 60)
        original = [any(match[0] for match in compiled.finditer(text)) for text in texts]
        for text, here, there in zip(texts, original, matching(relaxed, texts), strict=True):
            assert there or not here, (pattern, flags, text, relaxed)
            if relaxed.exact and text.isascii():
                exact += 1
                assert there == here, (pattern, flags, text, relaxed)
        told_apart += relaxed != ANY_TEXT
    assert told_apart > 40
    assert exact > 100


@pytest.mark.parametrize("seed", range(4))
def test_an_exact_pattern_has_the_same_first_match_in_rust(seed: int) -> None:
    chance = random.Random(100 + seed)
    compared = 0
    for _ in range(400):
        pattern = random_pattern(chance)
        try:
            compiled = regex.compile(pattern, ALL)
        except regex.error:
            continue
        first = relax(regex, pattern, ALL).ascii_first
        if not first:
            continue
        texts = [text for text in random_texts(chance, 40) if text.isascii()]
        rust = pl.Series("text", texts, dtype=pl.String).str.extract(first, 0).to_list()
        python = [match[0] if (match := compiled.search(text)) else None for text in texts]
        assert rust == python, (pattern, first)
        compared += len(texts)
    assert compared > 100


@pytest.mark.parametrize("seed", range(4))
def test_a_pattern_matches_alike_in_texts_that_it_cannot_tell_apart(seed: int) -> None:
    chance = random.Random(200 + seed)
    compared = 0
    for _ in range(200):
        pattern = random_pattern(chance)
        try:
            compiled = regex.compile(pattern, ALL)
        except regex.error:
            continue
        table = stand_ins(regex, pattern, ALL)
        for text in random_texts(chance, 40):
            if table and text.isascii():
                alike = [match.span() for match in compiled.finditer(text.translate(table))]
                assert alike == [match.span() for match in compiled.finditer(text)], pattern
                compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:foo){e<=1}",
        "(?i:a)b",
        "a(?i)b",
        r"\p{Lu}",
        "[[:alpha:]]",
        "[[a-z]--[b]]",
        r"\X",
        "(?|(a)|(b))",
        r"\100",
        "(?#note)a",
        "a{x}",
        "(?P<a>x)(?P<a>y)",
        r"(?P>a)",
        "[]a]",
    ],
)
def test_what_is_not_understood_is_looked_for_everywhere(pattern: str) -> None:
    assert relax(regex, pattern, ALL) == ANY_TEXT


def test_flags_that_are_not_understood_make_every_text_a_candidate() -> None:
    assert relax(regex, "a b", ALL | int(regex.VERBOSE)) == ANY_TEXT
    assert relax(regex, "a b", ALL | int(regex.FULLCASE)) == ANY_TEXT


def test_characters_that_fold_to_ascii_are_matched_as_the_engine_says() -> None:
    relaxed = relax(regex, r"\b[k]{2}s\d\b", ALL)
    texts = ["kks1", "KKſ1", "kKS٣", "kk51", "xks1"]
    assert [bool(regex.search(r"\b[k]{2}s\d\b", text, ALL)) for text in texts] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert matching(relaxed, texts)[:3] == [True, True, True]
    assert matching(relaxed, texts[3:]) == [False, False]


def test_what_need_not_be_there_is_not_asked_for() -> None:
    assert relax(regex, "x*(?:a|b?)c{1,9}", 0).ascii == "c"
    assert relax(regex, r"(?<!\d)ab(?!\d)", 0).ascii.endswith("(?m:$))")
    assert relax(re, "a?", 0).ascii == ""
