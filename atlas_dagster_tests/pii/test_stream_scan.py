"""A scan of one day of a stream: every field, what was found in it, and what that means."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.pii.findings import MaskedSample, RecognizerFailure
from atlas_dagster.pii.masking import mask_sample
from atlas_dagster.pii.recognizers import Analyzer
from atlas_dagster.pii.scan import Scanner
from atlas_dagster.pii.stream_scan import StreamScan, StreamScanner, load_scanner
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, insert_explore, make_stream, start_layers
from atlas_dagster_tests.pii.values import NEW_DIGIT
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream({"id": {"type": "integer"}, "mail": {"type": "string"}})


@pytest.fixture
def scan(warehouse: PgConnection, analyzer: Analyzer) -> StreamScan:
    """Of the first of two days, of which the second is left alone."""
    start_layers(warehouse, STREAM)
    day = [
        {
            "id": n,
            "mail": f"person.{n}@example.com",
            "by": {f"k{n}": f"4111 1111 1111 111{NEW_DIGIT}"},
        }
        for n in range(300)
    ]
    versions = [Version(f"{n}", at(1), record) for n, record in enumerate(day)]
    insert_explore(
        warehouse, STREAM, [*versions, Version("later", at(2), {"phone": "+49 30 901820"})]
    )
    scanner = StreamScanner(Scanner(analyzer, mask_sample), None)
    return scanner.scan(warehouse, STREAM, at(1).date())


def test_every_field_of_the_day_is_scanned_and_judged(scan: StreamScan) -> None:
    assert scan.records == 300
    assert {
        field.findings.path: [(one.entity, one.kind) for one in field.verdicts]
        for field in scan.fields
    } == {("id",): [], ("mail",): [("EMAIL_ADDRESS", "values")], ("by", "*"): []}


def test_what_a_person_should_know_beside_it_is_told(scan: StreamScan) -> None:
    assert scan.result == {"ner": "NER: not active", "cut": [], "maps": ["by"]}
    (by,) = [field for field in scan.fields if field.findings.path == ("by", "*")]
    assert by.findings.failures == (
        RecognizerFailure("CreditCardRecognizer", "ValueError", values=1, rows=300),
    )


def test_samples_are_masked(scan: StreamScan) -> None:
    samples = {sample for field in scan.fields for sample in field.findings.samples}
    assert MaskedSample("EMAIL_ADDRESS", "p***@e***") in samples
    assert "person." not in repr(scan)


def test_a_model_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no_such_model"):
        load_scanner(tmp_path / "none.yaml", "no_such_model", "a digest")
