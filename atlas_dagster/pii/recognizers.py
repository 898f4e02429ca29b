"""Presidio's analyzer as Atlas runs it: patterns and phone numbers, no model, no network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas_dagster.errors import ConfigError
from atlas_dagster.pii.detectors import Detector, detectors_of
from atlas_dagster.pii.phone_numbers import phone_detector
from atlas_dagster.pii.recognizer_file import LANGUAGE, read_recognizers


@dataclass(frozen=True)
class Analyzer:
    """What values are scanned with.

    ``engine`` is Presidio's AnalyzerEngine: what a scan finds is what it finds in every value, with
    the words of the field's name as context.
    """

    engine: Any
    detectors: tuple[Detector, ...]


def load_analyzer(file: Path) -> Analyzer:
    """Presidio's default recognizers for English, and those of ``file``, if it is there.

    Raises ConfigError naming file, line and key of a mistake in it.
    """
    stay_offline()
    keep_values_out_of_logs()
    keep_phone_patterns()
    recognizers = load_recognizers(file)
    return Analyzer(
        engine=engine_of(recognizers),
        detectors=tuple(detector for one in recognizers for detector in _detectors(one)),
    )


def load_recognizers(file: Path) -> tuple[Any, ...]:
    """Presidio's recognizers, those of ``file`` in the place of the ones that it names."""
    own = read_recognizers(file)
    kept = [one for one in _predefined() if type(one).__name__ not in own.replaced]
    recognizers = (*kept, *own.recognizers)
    if not recognizers:
        raise ConfigError(f"{file}: no recognizer is left; enable one")
    return recognizers


def _predefined() -> list[Any]:
    """What `RecognizerRegistry.load_predefined_recognizers` gives, without a word on the others."""
    from presidio_analyzer.recognizer_registry.recognizers_loader_utils import (
        RecognizerConfigurationLoader,
        RecognizerListLoader,
    )

    settings: dict[str, Any] = RecognizerConfigurationLoader.get()
    enabled = [entry for entry in settings["recognizers"] if entry.get("enabled", True)]
    ours: Any = [entry for entry in map(_in_english, enabled) if entry["supported_languages"]]
    flags = int(settings["global_regex_flags"])
    return list(RecognizerListLoader.get(ours, [LANGUAGE], global_regex_flags=flags))


def _in_english(entry: dict[str, Any]) -> dict[str, Any]:
    """One of Presidio's entries for this language alone; without any if it is not for it."""
    languages: list[Any] = entry.get("supported_languages") or [LANGUAGE]
    english = [one for one in languages if _language(one) == LANGUAGE]
    return {**entry, "supported_languages": english}


def _language(entry: Any) -> Any:
    """Of a language by itself, or with words of context."""
    return entry if isinstance(entry, str) else entry["language"]


def _detectors(recognizer: Any) -> list[Detector]:
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    if type(recognizer) is PhoneRecognizer:
        return [phone_detector(recognizer)]
    return detectors_of(recognizer)


def engine_of(recognizers: Sequence[Any]) -> Any:
    """An AnalyzerEngine of these recognizers alone."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    registry = RecognizerRegistry(list(recognizers), supported_languages=[LANGUAGE])
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=_no_language_model(),
        supported_languages=[LANGUAGE],
    )


def stay_offline() -> None:
    """Let Presidio look domains up in the list that came with tldextract, never in the network."""
    import tldextract.tldextract as extracting

    extracting.TLD_EXTRACTOR = extracting.TLDExtract(suffix_list_urls=(), cache_dir=None)


def keep_phone_patterns() -> None:
    """Let python-phonenumbers keep what it compiles, where its version can: it says the same."""
    import phonenumbers

    enable = getattr(phonenumbers, "enable_pattern_cache", None)
    if enable is not None:
        enable()


def keep_values_out_of_logs() -> None:
    """Let Presidio log what it does, without the values it does it to."""
    logger = logging.getLogger("presidio-analyzer")
    if _without_values not in logger.filters:
        logger.addFilter(_without_values)


def _without_values(record: logging.LogRecord) -> bool:
    if "timed out" not in str(record.msg):  # those name a pattern
        record.args, record.exc_info = (), None
    return record.levelno >= logging.WARNING


def _no_language_model() -> Any:
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    return NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": ""}])
