"""A scan finds in all values of a field what Presidio finds when it is asked about each of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from atlas_dagster.pii.context import context_of
from atlas_dagster.pii.detectors import PatternDetector
from atlas_dagster.pii.findings import (
    EntityFinding,
    FieldFindings,
    MaskedSample,
    RecognizerFailure,
)
from atlas_dagster.pii.phone_numbers import PhoneDetector
from atlas_dagster.pii.recognizers import Analyzer, load_analyzer
from atlas_dagster.pii.relax import Relaxed
from atlas_dagster.pii.scan import Scanner
from atlas_dagster_tests.pii.comparison import compare, compare_every
from atlas_dagster_tests.pii.support import chunk, every_recognizer, plain_findings
from atlas_dagster_tests.pii.values import NEW_DIGIT, Values


def scan(
    analyzer: Analyzer, values: Mapping[str, int], context: Sequence[str] = ()
) -> FieldFindings:
    return Scanner(analyzer).scan(("field",), [chunk(values)], context)


def test_random_and_adversarial_values_give_what_presidio_gives(analyzer: Analyzer) -> None:
    compared = compare(analyzer, 2_000, seed=1)
    assert compared.difference is None
    assert set(compared.found) == set(analyzer.engine.get_supported_entities("en"))


def test_so_do_the_recognizers_of_all_countries(every_analyzer: Analyzer) -> None:
    compared = compare(every_analyzer, 500, seed=2, batch=250)
    assert compared.difference is None
    assert len(compared.found) > 40


@pytest.mark.slow
def test_a_hundred_thousand_values_give_what_presidio_gives(tmp_path: Path) -> None:
    """On all cores, because Presidio takes its time."""
    file = every_recognizer(tmp_path / "every.yaml")
    workers = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), workers) as pool:
        for compared in pool.map(partial(compare_every, file, 10_000), range(3, 13)):
            assert compared.difference is None
            assert len(compared.found) > 60


def narrowed(analyzer: Analyzer, recognizer: str, gate: Relaxed) -> Analyzer:
    """The same with another condition for asking one recognizer: what a mistake would do."""
    detectors = list(load_analyzer(Path("no file")).detectors)
    changed = 0
    for detector in detectors:
        if detector.recognizer.name == recognizer:
            assert isinstance(detector, PatternDetector | PhoneDetector)
            detector.gate = gate
            changed += 1
    assert changed
    return replace(analyzer, detectors=tuple(detectors))


@pytest.mark.parametrize(
    ("recognizer", "gate"),
    [
        ("UsSsnRecognizer", Relaxed("[0-9]{10}", "[0-9]{10}")),
        ("EmailRecognizer", Relaxed("@", "[a-z]@")),
        ("CreditCardRecognizer", Relaxed("[0-9]{4}", "^[ -~]*$")),
        ("PhoneRecognizer", Relaxed("[0-9]", "[0-9]{3}")),
        ("IbanRecognizer", Relaxed("[A-Z]{2}", "[A-Z]")),
    ],
)
def test_the_comparison_notices_a_condition_that_is_too_narrow(
    analyzer: Analyzer, recognizer: str, gate: Relaxed
) -> None:
    compared = compare(narrowed(analyzer, recognizer, gate), 6_000, seed=9, batch=250)
    assert compared.difference is not None


def test_a_phone_number_is_looked_for_in_every_region(analyzer: Analyzer) -> None:
    values = {
        "2015550123": 1,
        "07400123456": 1,
        "030901820": 1,
        "0123456789": 1,
        "0502345678": 1,
        "9876543210": 1,
        "11912345678": 1,
        "+290 8123": 1,
    }
    found = scan(analyzer, values)
    assert found.entities == plain_findings(analyzer, values, [])
    assert found.entity("PHONE_NUMBER") == EntityFinding("PHONE_NUMBER", 8, 8, 0.4, 0.4, 8, 8)


def test_counts_scores_and_whole_values(analyzer: Analyzer) -> None:
    values = {"a@example.org": 3, " b@example.org\n": 2, "to c@example.org": 5, "none": 7}
    found = scan(analyzer, values, ["email"])
    assert found.rows == 17
    assert found.distinct_values == 4
    assert found.entity("EMAIL_ADDRESS") == EntityFinding(
        "EMAIL_ADDRESS",
        values=3,
        rows=10,
        mean_score=1.0,
        max_score=1.0,
        whole_values=2,
        whole_rows=5,
    )
    url = found.entity("URL")
    assert url is not None
    assert (url.whole_values, url.max_score) == (0, 0.5)


def test_the_words_of_a_name_raise_scores_as_context_does(analyzer: Analyzer) -> None:
    values = {"123456789": 1}
    plain, named = (
        scan(analyzer, values),
        scan(analyzer, values, context_of(["us_passport_number"])),
    )
    assert plain.entity("US_PASSPORT") != named.entity("US_PASSPORT")
    assert named.entities == plain_findings(analyzer, values, ["passport"])


def test_chunks_add_up(analyzer: Analyzer) -> None:
    some = Values(11, analyzer.engine.registry.recognizers).some(150)
    values = {value: place % 4 + 1 for place, value in enumerate(some)}
    pairs = list(values.items())
    chunks = [chunk(dict(pairs[start : start + 13])) for start in range(0, len(pairs), 13)]
    at_once = Scanner(analyzer).scan(("field",), [chunk(values)], [])
    assert Scanner(analyzer).scan(("field",), chunks, []) == at_once


def test_a_field_without_values_has_no_findings(analyzer: Analyzer) -> None:
    assert Scanner(analyzer).scan(("field",), [], []) == FieldFindings(("field",), 0, 0)
    assert Scanner(analyzer).scan(("field",), [chunk({})], []) == FieldFindings(("field",), 0, 0)


def test_samples_are_what_masking_leaves_of_the_first_values(analyzer: Analyzer) -> None:
    scanner = Scanner(analyzer, mask=lambda value, entity: f"{value[:1]}… {entity}")
    values = {f"{name}@example.org": 1 for name in "abcde"}
    found = scanner.scan(("mail",), [chunk(values)], [])
    assert found.samples[:3] == tuple(
        MaskedSample("EMAIL_ADDRESS", f"{name}… EMAIL_ADDRESS") for name in "abc"
    )
    assert scan(analyzer, values).samples == ()


def test_the_shape_of_values_is_told_in_shares_of_rows(analyzer: Analyzer) -> None:
    values = {
        "42": 2,
        "3.50": 1,
        "550e8400-e29b-41d4-a716-446655440000": 1,
        "2024-05-01T12:34:56.789+02:00": 1,
        "2024-05-01": 1,
        "0123456789abcdef": 1,
        " three words here ": 3,
    }
    shape = scan(analyzer, values).shape
    assert shape.integers_only == 0.2
    assert shape.digits == 0.4
    assert shape.decimal == 0.1
    assert shape.uuid == 0.1
    assert shape.iso_timestamp == 0.2
    assert shape.hex == 0.1
    assert shape.words == pytest.approx(1.6)
    assert scan(analyzer, {"abcd": 1, "ab": 3}).mean_length == 2.5


def test_a_value_that_a_recognizer_fails_on_is_counted_and_named(analyzer: Analyzer) -> None:
    class Failing:
        def __call__(self, *_: object) -> None:
            raise ValueError("4111-secret")

    loaded = load_analyzer(Path("no file"))
    detector = next(one for one in loaded.detectors if one.recognizer.name == "NhsRecognizer")
    detector.recognizer.validate_result = Failing()
    values = {"943 476 5919": 2, "401 023 2137": 1, "a@example.org": 1}
    found = scan(loaded, values)
    assert found.failures == (RecognizerFailure("NhsRecognizer", "ValueError", 2, 3),)
    assert found.entity("EMAIL_ADDRESS") is not None
    assert "secret" not in repr(found)


def test_digits_that_python_does_not_know_fail_one_recognizer_at_most(analyzer: Analyzer) -> None:
    values = {f"4111 1111 1111 111{NEW_DIGIT}": 2, "a@example.org": 1}
    found = scan(analyzer, values)
    assert {failure.recognizer for failure in found.failures} <= {"CreditCardRecognizer"}
    assert found.entity("EMAIL_ADDRESS") is not None


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000_000,
        "word " * 2_000_000,
        "\x01\x02\x7f\x1b[31m\ufffd\ufeff" * 1_000,
        "(" * 9_000 + "1",
        "+" * 9_000 + "1",
        "." * 100_000,
        "\n" * 100_000,
        "",
        " ",
    ],
    ids=lambda value: f"{value[:4]!r} × {len(value)}",
)
def test_junk_and_very_long_values_are_scanned(analyzer: Analyzer, value: str) -> None:
    assert scan(analyzer, {value: 1}).entities == ()


def test_what_is_in_a_very_long_value_is_found(analyzer: Analyzer) -> None:
    value = "word " * 20_000 + "call +49 30 901820 or write to a@example.org"
    found = scan(analyzer, {value: 1})
    assert found.entities == plain_findings(analyzer, {value: 1}, [])
    assert {one.entity for one in found.entities} >= {"PHONE_NUMBER", "EMAIL_ADDRESS"}


def test_no_value_is_logged(analyzer: Analyzer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scan(analyzer, {"DE8937040044053201300K": 1, "GB29NWBK60161331926819 x": 1}, ["iban"])
    assert "8937040044" not in caplog.text
    assert "NWBK" not in caplog.text


def test_nothing_is_fetched_from_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = scan(load_analyzer(tmp_path / "none.yaml"), {"a@example.co.uk": 1, "a@b.invalid": 1})
    assert found.entity("EMAIL_ADDRESS") == EntityFinding("EMAIL_ADDRESS", 1, 1, 1.0, 1.0, 1, 1)
