"""Distinct values are counted exactly, in memory or not."""

from __future__ import annotations

import random
from collections import Counter

import polars as pl
import pytest

from atlas_dagster.pii import distinct
from atlas_dagster.pii.distinct import DistinctValues


def counted(values: DistinctValues, *paths: tuple[str, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    for chunk in values.take(paths):
        for value, count in chunk.iter_rows():
            assert value not in found
            found[value] = count
    return found


@pytest.mark.parametrize("memory", [0, 20_000, 10**9], ids=["none", "some", "plenty"])
def test_counts_are_exact_whatever_fits_in_memory(memory: int) -> None:
    chance = random.Random(1)
    expected: dict[tuple[str, ...], Counter[str]] = {(name,): Counter() for name in "abc"}
    with DistinctValues(memory) as values:
        for _ in range(40):
            for path, all_of_it in expected.items():
                some = [f"value {chance.randint(0, 500)} é" for _ in range(chance.randint(1, 200))]
                values.add(path, some)
                all_of_it.update(some)
        assert sorted(values.paths) == sorted(expected)
        for path, all_of_it in expected.items():
            assert counted(values, path) == all_of_it


@pytest.mark.parametrize("memory", [0, 10**9])
def test_fields_that_are_one_are_counted_together(memory: int) -> None:
    with DistinctValues(memory) as values:
        values.add(("m", "a"), ["x", "y", "x"])
        values.add(("m", "b"), ["x"] + [f"z{n}" for n in range(2_000)])
        found = counted(values, ("m", "a"), ("m", "b"))
    assert found["x"] == 3
    assert len(found) == 2_002


def test_chunks_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "CHUNK_ROWS", 10)
    with DistinctValues() as values:
        values.add(("a",), [f"{n}" for n in range(95)])
        assert [chunk.height for chunk in values.take([("a",)])] == [10] * 9 + [5]


def test_values_that_are_counted_often_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "CHUNK_BYTES", 1_000)
    written: list[pl.DataFrame] = []
    monkeypatch.setattr(DistinctValues, "_write", lambda _, frame: written.append(frame))
    with DistinctValues(memory=20_000) as values:
        for _ in range(200):
            values.add(("a",), ["yes", "no"] * 100)
        assert counted(values, ("a",)) == {"yes": 20_000, "no": 20_000}
    assert written == []
