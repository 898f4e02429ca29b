"""Random and adversarial values, scanned, and held against what Presidio says of each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from atlas_dagster.pii.recognizers import Analyzer, load_analyzer
from atlas_dagster.pii.scan import Scanner
from atlas_dagster_tests.pii.support import Scores, added_up, analysable_scores, chunk
from atlas_dagster_tests.pii.values import Values

CONTEXTS = [
    [],
    ["phone"],
    ["credit", "card", "cc number"],
    ["date", "birth"],
    ["ip", "mac address"],
]


@dataclass(frozen=True)
class Compared:
    """A value of which a scan says other than Presidio, if any, and what was found of each."""

    difference: str | None
    found: Counter[str]


def compare(analyzer: Analyzer, count: int, seed: int, batch: int = 1_000) -> Compared:
    """Hold a scan of that many random values against Presidio's engine, until they differ.

    The engine is asked once about each value: that is what nearly all the time goes to.
    """
    values = Values(seed, analyzer.engine.registry.recognizers)
    scanner = Scanner(analyzer)
    found: Counter[str] = Counter()
    for number in range(count // batch):
        context = CONTEXTS[number % len(CONTEXTS)]
        said = analysable_scores(analyzer, values.some(batch), context)
        assert len(said) > batch * 0.95
        counts = {value: place % 4 + 1 for place, value in enumerate(said)}
        entities = scanner.scan(("field",), [chunk(counts)], context).entities
        if entities != added_up(said, counts):
            return Compared(_first_difference(scanner, said, context), found)
        found.update({one.entity: one.values for one in entities})
    return Compared(None, found)


def _first_difference(scanner: Scanner, said: Mapping[str, Scores], context: list[str]) -> str:
    """The first value of several of which a scan says other than Presidio."""
    for value in said:
        entities = scanner.scan(("field",), [chunk({value: 1})], context).entities
        if entities != added_up(said, {value: 1}):
            return value
    return "no value by itself"


def compare_every(file: Path, count: int, seed: int) -> Compared:
    """The same with the recognizers of a file, which a process loads once."""
    return compare(_loaded(file), count, seed, batch=2_000)


@cache
def _loaded(file: Path) -> Analyzer:
    return load_analyzer(file)
