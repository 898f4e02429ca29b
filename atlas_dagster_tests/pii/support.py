"""What Presidio itself says, value by value: what a scan is held against."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import polars as pl

from atlas_dagster.pii.findings import EntityFinding
from atlas_dagster.pii.recognizers import Analyzer

Scores: TypeAlias = dict[str, tuple[float, bool]]

ALL_RECOGNIZERS = """
recognizers:
{entries}
"""


def every_recognizer(file: Path) -> Path:
    """A file that enables every recognizer of patterns that Presidio has."""
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import PatternRecognizer

    names = sorted(
        name
        for name in predefined.__all__
        if isinstance(found := getattr(predefined, name), type)
        and issubclass(found, PatternRecognizer)
    )
    entries = "\n".join(
        f"  - name: {name}\n    type: predefined\n    supported_languages: [en]" for name in names
    )
    file.write_text(ALL_RECOGNIZERS.format(entries=entries))
    return file


def chunk(values: Mapping[str, int]) -> pl.DataFrame:
    """Values and how often each occurs, as a scan takes them."""
    schema = {"value": pl.String, "count": pl.UInt32}
    return pl.DataFrame({"value": list(values), "count": list(values.values())}, schema=schema)


def plain_findings(
    analyzer: Analyzer, values: Mapping[str, int], context: Sequence[str]
) -> tuple[EntityFinding, ...]:
    """The findings, by asking Presidio's engine about every value."""
    said = {value: plain_scores(analyzer, value, context) for value in values}
    return added_up(said, values)


def plain_scores(analyzer: Analyzer, value: str, context: Sequence[str]) -> Scores:
    """By entity, the best score in a value, and whether a result covers all of it."""
    start, end = len(value) - len(value.lstrip()), len(value.rstrip())
    scores: Scores = {}
    for result in analyzer.engine.analyze(value, language="en", context=list(context)):
        score, whole = scores.get(result.entity_type, (0.0, False))
        covers = result.start <= start and result.end >= end
        scores[result.entity_type] = (max(score, result.score), whole or covers)
    return scores


def analysable_scores(
    analyzer: Analyzer, values: Iterable[str], context: Sequence[str]
) -> dict[str, Scores]:
    """What Presidio's engine says of each value; not of those that a recognizer fails on."""
    said: dict[str, Scores] = {}
    for value in values:
        with suppress(ValueError, KeyError, IndexError):
            said[value] = plain_scores(analyzer, value, context)
    return said


def added_up(said: Mapping[str, Scores], values: Mapping[str, int]) -> tuple[EntityFinding, ...]:
    """The findings in values that occur so often, from what was said of each."""
    rows: dict[str, Counter[float]] = defaultdict(Counter)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for value, count in values.items():
        for entity, (score, whole) in said[value].items():
            rows[entity][score] += count
            found[entity].update({"values": 1, "whole": whole, "whole_rows": whole * count})
    return tuple(
        EntityFinding(
            entity=entity,
            values=found[entity]["values"],
            rows=rows[entity].total(),
            mean_score=sum(score * n for score, n in sorted(rows[entity].items()))
            / rows[entity].total(),
            max_score=max(rows[entity]),
            whole_values=found[entity]["whole"],
            whole_rows=found[entity]["whole_rows"],
        )
        for entity in sorted(rows)
    )
