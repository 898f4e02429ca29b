"""Names and places: what Presidio's spaCy recognizer finds with a model that is installed here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from atlas_dagster.errors import AtlasError, ConfigError
from atlas_dagster.pii.column_names import name_evidence
from atlas_dagster.pii.findings import EntityFinding, FieldFindings
from atlas_dagster.pii.ner_result import NerResult
from atlas_dagster.pii.verdict_rules import TYPICAL, is_free_text

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, RecognizerResult
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

NER_ENTITIES = ("PERSON", "LOCATION", "NRP", "ORGANIZATION")
NAMED_ENTITIES = ("PERSON", "LOCATION", "NRP")
BUDGET_SECONDS = 30.0
# A model's time grows with the text, and beyond a million characters spaCy refuses it.
LONGEST_TEXT = 20_000
BATCH = 64

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class _Count:
    values: int = 0
    rows: int = 0
    score: float = 0.0
    max_score: float = 0.0
    whole_values: int = 0
    whole_rows: int = 0

    def add(self, rows: int, score: float, *, whole: bool) -> None:
        self.values += 1
        self.rows += rows
        self.score += rows * score
        self.max_score = max(self.max_score, score)
        self.whole_values += whole
        self.whole_rows += rows * whole

    def finding(self, entity: str) -> EntityFinding:
        return EntityFinding(
            entity=entity,
            values=self.values,
            rows=self.rows,
            mean_score=self.score / self.rows,
            max_score=self.max_score,
            whole_values=self.whole_values,
            whole_rows=self.whole_rows,
        )


@dataclass
class _Progress:
    counts: dict[str, _Count] = field(default_factory=dict[str, _Count])
    values: int = 0
    rows: int = 0
    shortened: int = 0


def wants_names(findings: FieldFindings, *, stream: str = "") -> bool:
    """Whether a model should read a field: free text, or one whose name suggests people."""
    shape = findings.shape
    if not findings.rows or max(shape.digits, shape.uuid, shape.iso_timestamp) >= TYPICAL:
        return False
    names = name_evidence(findings.path, stream)
    return is_free_text(findings) or any(map(names.support, NAMED_ENTITIES))


class NameFinder:
    """A spaCy model behind Presidio's own engine and recognizer; loading one takes seconds.

    ``model`` is a package or a directory. Raises ConfigError where it is no model that spaCy can
    load; nothing is ever downloaded.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self._engine = _load(model)
        (self._language,) = self._engine.get_supported_languages()
        self._analyzer = _analyzer(self._engine, self._language)

    def find(
        self,
        values: Iterable[tuple[str, int]],
        *,
        budget_seconds: float = BUDGET_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> NerResult:
        """Read distinct values, each with its count of rows, until the end or the time is up.

        Raises AtlasError, which names the model and never a value, where the model fails.
        """
        ends = clock() + budget_seconds
        progress = _Progress()
        rest = iter(values)
        while clock() < ends and (batch := list(islice(rest, BATCH))):
            self._read(batch, progress)
        left_values, left_rows = _exhaust(rest)
        return NerResult(
            model=self.model,
            entities=tuple(progress.counts[name].finding(name) for name in sorted(progress.counts)),
            analyzed_values=progress.values,
            analyzed_rows=progress.rows,
            total_values=progress.values + left_values,
            total_rows=progress.rows + left_rows,
            shortened=progress.shortened,
        )

    def _read(self, batch: list[tuple[str, int]], progress: _Progress) -> None:
        texts = [_readable(value) for value, _ in batch]
        for (value, rows), text, results in zip(batch, texts, self._results(texts), strict=True):
            progress.values += 1
            progress.rows += rows
            progress.shortened += len(value) > LONGEST_TEXT
            for entity in {result.entity_type for result in results}:
                own = [result for result in results if result.entity_type == entity]
                whole = any(text[one.start : one.end].strip() == text.strip() for one in own)
                count = progress.counts.setdefault(entity, _Count())
                count.add(rows, max(one.score for one in own), whole=whole)

    def _results(self, texts: list[str]) -> Iterator[list[RecognizerResult]]:
        """What Presidio's analyzer says of each text, whose artifacts the model makes by batch."""
        try:
            processed = self._engine.process_batch(texts, self._language, batch_size=BATCH)
            for text, artifacts, *_ in processed:
                yield self._analyzer.analyze(
                    text,
                    language=self._language,
                    entities=list(NER_ENTITIES),
                    nlp_artifacts=artifacts,
                )
        except Exception as error:  # noqa: BLE001
            # Any component may be in a pipeline, and its error may quote the text it choked on.
            kind = type(error).__name__
            raise AtlasError(f"NER: the model {self.model} failed with {kind}") from None


def _load(model: str) -> SpacyNlpEngine:
    """Presidio's engine, configured as it is by default, around a model that is here already."""
    import spacy
    from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpEngineProvider
    from presidio_analyzer.nlp_engine import SpacyNlpEngine as Engine

    try:
        pipeline = spacy.load(model)
    except (OSError, ValueError, ImportError) as error:
        raise ConfigError(f"ATLAS_PII_SPACY_MODEL: spaCy cannot load {model!r}: {error}") from None
    settings = cast("dict[str, Any]", NlpEngineProvider().nlp_configuration)
    configuration = NerModelConfiguration.from_dict(settings["ner_model_configuration"])
    known = configuration.model_to_presidio_entity_mapping or {}
    labels = {label for labels in pipeline.pipe_labels.values() for label in labels}
    configuration.labels_to_ignore = sorted(
        {*(configuration.labels_to_ignore or ()), *(labels - set(known))}
    )
    language = str(pipeline.lang)
    engine = Engine(
        models=[{"lang_code": language, "model_name": model}],
        ner_model_configuration=configuration,
    )
    engine.nlp = {language: pipeline}
    return engine


def _analyzer(engine: SpacyNlpEngine, language: str) -> AnalyzerEngine:
    from presidio_analyzer import AnalyzerEngine as Analyzer
    from presidio_analyzer import RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    recognizer = SpacyRecognizer(supported_language=language)
    registry = RecognizerRegistry(recognizers=[recognizer], supported_languages=[language])
    return Analyzer(registry=registry, nlp_engine=engine, supported_languages=[language])


def _readable(value: str) -> str:
    """The text as a model can take it: not too long, and without halves of characters."""
    return _SURROGATE.sub("\ufffd", value[:LONGEST_TEXT])


def _exhaust(values: Iterator[tuple[str, int]]) -> tuple[int, int]:
    """How many values are left, and in how many rows."""
    distinct = total = 0
    for _, rows in values:
        distinct, total = distinct + 1, total + rows
    return distinct, total
