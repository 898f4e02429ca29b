"""What Presidio itself says of a value, and what a field looks like, the slow way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from atlas_dagster.pii.column_names import name_tokens
from atlas_dagster.pii.findings import ValueShape

LANGUAGE = "en"

_SHAPES = {
    "digits": re.compile(r"(?=.*[0-9])[0-9+\-.,/() ]+"),
    "integers_only": re.compile(r"[0-9]+"),
    "decimal": re.compile(r"[+-]?[0-9]+[.,][0-9]+"),
    "uuid": re.compile(
        r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
    ),
    "iso_timestamp": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?"),
    "hex": re.compile(r"(?i)(?=.*[a-f])(?=.*[0-9])[0-9a-f]{8,}"),
}


@lru_cache(maxsize=1)
def plain_presidio() -> Any:
    """Presidio's analyzer with its recognizers for English, no model, and no use of the network."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    engine = NoOpNlpEngine([{"lang_code": LANGUAGE, "model_name": ""}])
    engine.load()
    registry = RecognizerRegistry(supported_languages=[LANGUAGE])
    registry.load_predefined_recognizers(languages=[LANGUAGE], nlp_engine=engine)
    registry.remove_recognizer("SpacyRecognizer")
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[LANGUAGE])


def context_words(path: Sequence[str]) -> list[str]:
    """What Presidio is told of a field: the words of its name."""
    return list(name_tokens(next((name for name in reversed(path) if name not in ("[]", "*")), "")))


def plain_results(value: str, context: Sequence[str] = ()) -> list[Any]:
    return plain_presidio().analyze(value, language=LANGUAGE, context=list(context))


def plain_shape(rows: Counter[str]) -> ValueShape:
    """The shares of the rows that have each shape."""
    shares = {
        name: _mean(rows, lambda value, known=known: bool(known.fullmatch(value.strip())))
        for name, known in _SHAPES.items()
    }
    return ValueShape(**shares, words=_mean(rows, lambda value: len(value.split())))


def _mean(rows: Counter[str], measure: Callable[[str], float]) -> float:
    return sum(count * measure(value) for value, count in rows.items()) / sum(rows.values())
