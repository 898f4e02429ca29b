"""Names and places by a spaCy pipeline, which is made here: no model is ever downloaded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import SpacyRecognizer
from spacy.language import Language
from spacy.tokens import Doc

from atlas_dagster.errors import AtlasError, ConfigError
from atlas_dagster.pii.findings import EntityFinding, FieldFindings, ValueShape
from atlas_dagster.pii.ner import BATCH, LONGEST_TEXT, NameFinder, wants_names
from atlas_dagster.pii.ner_result import NOT_ACTIVE
from atlas_dagster.pii.verdict import judge

TEXTS = [
    "Jane Doe called from Berlin",
    "Jane Doe",
    "The Danes of Acme Inc. met Jane Doe in Paris on Monday",
    "nobody called",
    "",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that knows two people, two towns, a people, a firm and a day."""
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Jane Doe"},
            {"label": "PER", "pattern": "Max Muster"},
            {"label": "GPE", "pattern": "Berlin"},
            {"label": "LOC", "pattern": "Paris"},
            {"label": "NORP", "pattern": "Danes"},
            {"label": "ORG", "pattern": "Acme Inc."},
            {"label": "DATE", "pattern": "Monday"},
            {"label": "MISC", "pattern": "nobody"},
        ]
    )
    directory = tmp_path_factory.mktemp("model")
    pipeline.to_disk(directory)
    return directory


@pytest.fixture(scope="module")
def finder(model: Path) -> NameFinder:
    return NameFinder(str(model))


def by_name(findings: tuple[EntityFinding, ...]) -> dict[str, EntityFinding]:
    return {finding.entity: finding for finding in findings}


def test_people_and_places_are_counted_by_value_and_by_row(finder: NameFinder) -> None:
    result = finder.find([(TEXTS[0], 3), (TEXTS[1], 2), (TEXTS[3], 5)])
    assert by_name(result.entities) == {
        "LOCATION": EntityFinding("LOCATION", 1, 3, 0.85, 0.85, 0, 0),
        "PERSON": EntityFinding("PERSON", 2, 5, 0.85, 0.85, 1, 2),
    }
    assert (result.analyzed_values, result.analyzed_rows, result.cut) == (3, 10, False)
    assert str(result).endswith("all 3 values")


def test_the_results_are_those_of_presidio_with_the_same_model(
    finder: NameFinder, model: Path
) -> None:
    engine = SpacyNlpEngine(
        models=[{"lang_code": "en", "model_name": str(model)}],
        ner_model_configuration=NerModelConfiguration(labels_to_ignore=["MISC", "ORGANIZATION"]),
    )
    engine.load()
    presidio = AnalyzerEngine(
        registry=RecognizerRegistry(recognizers=[SpacyRecognizer()]), nlp_engine=engine
    )
    for text in TEXTS:
        results = presidio.analyze(text, language="en")
        plain = {one.entity_type: one.score for one in results if one.entity_type != "DATE_TIME"}
        found = finder.find([(text, 1)]).entities
        assert {one.entity: one.max_score for one in found} == plain


def test_a_field_whose_time_is_up_says_how_much_was_read(finder: NameFinder) -> None:
    clock: Iterator[float] = itertools.count()
    values = [(f"Jane Doe {number}", 2) for number in range(10 * BATCH)]
    result = finder.find(iter(values), budget_seconds=3.5, clock=lambda: next(clock))
    assert result.cut
    assert (result.analyzed_values, result.analyzed_rows) == (3 * BATCH, 6 * BATCH)
    assert (result.total_values, result.total_rows) == (10 * BATCH, 20 * BATCH)
    assert str(result).endswith("the first 192 of 640 values, then its time was up")
    findings = FieldFindings(
        path=("comment",), rows=20 * BATCH, distinct_values=10 * BATCH, shape=ValueShape(words=3.0)
    )
    (verdict,) = judge(findings, ner=result)
    assert (verdict.entity, verdict.share) == ("PERSON", 1.0)


def test_any_text_can_be_read(finder: NameFinder) -> None:
    long = "Jane Doe " + "x " * LONGEST_TEXT
    result = finder.find([("\ud800 Jane Doe \x00", 1), (long, 1), ("\U0001f600", 1)])
    assert by_name(result.entities)["PERSON"].values == 2
    assert result.shortened == 1


def test_a_model_that_fails_is_named_and_the_value_is_not(tmp_path: Path) -> None:
    @Language.component("choking")
    def choking(doc: Doc) -> Doc:
        raise ValueError(f"cannot read {doc.text}")

    pipeline = spacy.blank("en")
    pipeline.add_pipe("choking")
    pipeline.to_disk(tmp_path)
    with pytest.raises(AtlasError, match="failed with ValueError") as caught:
        NameFinder(str(tmp_path)).find([("Jane Doe", 1)])
    assert str(tmp_path) in str(caught.value)
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_model_the_result_says_so() -> None:
    assert str(NOT_ACTIVE) == "NER: not active"
    assert not NOT_ACTIVE.cut


@pytest.mark.parametrize("name", ["no_such_model_at_all", "/no/such/directory"])
def test_a_model_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"ATLAS_PII_SPACY_MODEL: spaCy cannot load '{name}'"):
        NameFinder(name)


def test_free_text_is_read_and_what_its_name_suggests() -> None:
    def wants(name: str, shape: ValueShape, stream: str = "") -> bool:
        findings = FieldFindings(path=(name,), rows=9, distinct_values=9, shape=shape)
        return wants_names(findings, stream=stream)

    assert wants("comment", ValueShape(words=9.0))
    assert wants("name", ValueShape(words=1.0))
    assert not wants("name", ValueShape(words=1.0), stream="products")
    assert not wants("status", ValueShape(words=1.0))
    assert not wants("name", ValueShape(words=1.0, uuid=1.0))
    assert not wants_names(FieldFindings(path=("name",), rows=0, distinct_values=0))
