"""Documents are taken apart into the values of their fields."""

from __future__ import annotations

import json

import pytest

from atlas_dagster.pii import fields
from atlas_dagster.pii.fields import DEEPEST, FieldSorter, whole_paths
from atlas_dagster.pii_rules import Path


def sorted_values(*documents: bytes) -> dict[Path, list[str]]:
    sorter = FieldSorter()
    values: dict[Path, list[str]] = {}
    for document in documents:
        sorter.add(document)
        for path, some in sorter.take():
            values.setdefault(path, []).extend(some)
    whole = whole_paths(values, sorter.maps)
    joined: dict[Path, list[str]] = {}
    for path, some in values.items():
        joined.setdefault(whole[path], []).extend(some)
    return joined


def test_texts_and_numbers_are_values_and_nothing_else_is() -> None:
    document = b'{"a":"x","n":null,"t":true,"f":false,"i":7,"d":1.50,"e":"","neg":-0.0,"b":1e400}'
    assert sorted_values(document) == {
        ("a",): ["x"],
        ("i",): ["7"],
        ("d",): ["1.50"],
        ("e",): [""],
        ("neg",): ["-0.0"],
        ("b",): ["1e400"],
    }


def test_numbers_keep_all_digits() -> None:
    long, longer = "9" * 400, "8" * 5_000
    document = f'{{"a":{long},"b":{longer},"c":4111111111111111,"d":0.12345678901234567890}}'
    assert sorted_values(document.encode()) == {
        ("a",): [long],
        ("b",): [longer],
        ("c",): ["4111111111111111"],
        ("d",): ["0.12345678901234567890"],
    }


def test_nested_values_are_named_by_their_path() -> None:
    document = b'{"c":{"mails":["a","b",["c"]],"home":[{"zip":"1"},{"zip":2}]},"o":{},"l":[]}'
    assert sorted_values(document) == {
        ("c", "mails", "[]"): ["a", "b"],
        ("c", "mails", "[]", "[]"): ["c"],
        ("c", "home", "[]", "zip"): ["1", "2"],
    }


def test_records_need_not_have_the_same_columns() -> None:
    found = sorted_values(b'{"a":"1","b":"2"}', b'{"b":"3","a":{"x":"4"}}', b"{}", b'{"a":["5"]}')
    assert found == {("a",): ["1"], ("b",): ["2", "3"], ("a", "x"): ["4"], ("a", "[]"): ["5"]}


@pytest.mark.parametrize("depth", [10, DEEPEST - 1, DEEPEST, DEEPEST + 1, 900, 3_000, 100_000])
def test_what_is_nested_deeper_belongs_to_the_field_at_that_depth(depth: int) -> None:
    document = b'{"d":%s"x",1,true,{"k":"y\\n"}%s}' % (b"[" * depth, b"]" * depth)
    found = sorted_values(document)
    assert sorted(value for values in found.values() for value in values) == ["1", "x", "y\n"]
    assert max(map(len, found)) == min(depth + 2, DEEPEST)
    assert {path[0] for path in found} == {"d"}


def test_an_object_with_too_many_keys_is_a_map() -> None:
    sorter_keys = [
        json.dumps({"m": {f"k{n}-{m}": {"v": f"{m}"} for m in range(300)}}) for n in "ab"
    ]
    found = sorted_values(*(text.encode() for text in sorter_keys))
    assert set(found) == {("m", "*", "v")}
    assert len(found["m", "*", "v"]) == 600


def test_keys_of_many_records_make_a_map_too() -> None:
    found = sorted_values(
        *(json.dumps({"m": {f"k{n}": "v"}, "o": "p"}).encode() for n in range(300))
    )
    assert found == {("m", "*"): ["v"] * 300, ("o",): ["p"] * 300}


def test_arrays_of_a_map_stay_arrays() -> None:
    document = json.dumps({"m": {f"k{n}": [f"{n}"] for n in range(300)}}).encode()
    assert set(sorted_values(document)) == {("m", "*", "[]")}


def test_columns_are_told_apart_as_far_as_tables_have_them() -> None:
    wide = json.dumps({f"c{n}": f"{n}" for n in range(fields.MOST_COLUMNS)}).encode()
    assert len(sorted_values(wide)) == fields.MOST_COLUMNS
    wider = json.dumps({f"c{n}": f"{n}" for n in range(10_000)}).encode()
    found = sorted_values(wider)
    assert set(found) == {("*",)}
    assert len(found["*",]) == 10_000


def test_the_number_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MOST_FIELDS", 50)
    sorter = FieldSorter()
    for n in range(100):
        sorter.add(json.dumps({f"c{n}": {f"k{n}": {f"j{n}": "v"}}}).encode())
    assert len(sorter.fields) < 60
    assert sum(len(some) for _, some in sorter.take()) == 100
