"""Telephone numbers are looked for piece by piece, and found where Presidio finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.pii.phone_numbers import PhoneDetector
from atlas_dagster.pii.recognizers import Analyzer, load_analyzer
from atlas_dagster.pii.scan import Scanner
from atlas_dagster_tests.pii.support import chunk, plain_findings

NUMBERS = ["541-754-3010", "(541) 754-3010", "+49 30 901820", "030 901820", "5417543010"]
BESIDE = ["a{}", "{}a", "a{}a", "a {}", "{} a", "é{}", "{}é", "_{}", "${}", "{}%", "a-{}", "a+{}"]
PARTS = ["12 {}", "{} 12", "a1234 {}", "{} 1234a", "1234/{}", "{}/1234a", "a12 {} 34a", "9.9.{}"]


@pytest.mark.parametrize("around", [*BESIDE, *PARTS])
def test_what_stands_beside_a_number_decides_as_it_does_for_presidio(
    analyzer: Analyzer, around: str
) -> None:
    for number in NUMBERS:
        values = {around.format(number): 1, f"or {around.format(number)}, then": 2}
        found = Scanner(analyzer).scan(("field",), [chunk(values)], [])
        assert found.entities == plain_findings(analyzer, values, []), number


@pytest.mark.parametrize(
    "number",
    ["12345 - 332-445-x1234", "541-754-3010-x12", "541-754-3010 ~ 1234", "3010 541-754-~12"],
)
def test_a_part_with_an_extension_behind_it_covers_a_value(analyzer: Analyzer, number: str) -> None:
    found = Scanner(analyzer).scan(("field",), [chunk({number: 1})], [])
    assert found.entities == plain_findings(analyzer, {number: 1}, [])


def test_a_number_at_a_letter_is_no_candidate_and_its_free_parts_are() -> None:
    (detector,) = [
        one for one in load_analyzer(Path("no")).detectors if isinstance(one, PhoneDetector)
    ]
    texts = ["mail5417543010@x.org", "a541-754-3010", "541-754-3010a", "a1 541-754-3010"]
    assert [score is not None for score in detector.scores(texts)] == [False, False, False, True]
    assert [score is not None for score in detector.scores(texts)] == [False, False, False, True]
