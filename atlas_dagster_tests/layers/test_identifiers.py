"""Names that bite: what a source may call its streams and columns goes through all layers."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.catalog import ColumnType, Stream
from atlas_dagster.catalog_answers import stream_slugs
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    NO_RULES,
    at,
    build,
    create_landing,
    land,
    make_stream,
    read_navigate,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import check_navigate

HOSTILE = [
    *("select", "valid_from", "_atlas_valid_from", "_atlas_natural_key", "_airbyte_raw_id"),
    *('a"b', "a'b", "a\\b", "100%", "%s", "%(x)s", "{x}", "{}", "{0}", "$1", "表", "", " ", "."),
    *("data", "fields", "landed", "explored", "chart", "raw", "typed", "charted", "segment"),
    *("version", "state", "instant", "natural_key", "row_hash", "errors", "sequence", "deleted"),
    *("r0", "t0", "n0", "xmin", "ctid", "tableoid", "oid", "ID", "Id", "name ", "now", "target"),
    *("changed", "stored", "navigate", "x" * 63, "y" * 64, "é" * 40, "a;b", "a--b", "line\nbreak"),
]


@pytest.mark.slow  # many; the quick test below takes them all at once
@pytest.mark.parametrize("name", HOSTILE, ids=[repr(name)[:20] for name in HOSTILE])
def test_a_column_may_have_any_name(warehouse: PgConnection, name: str) -> None:
    stream = make_stream({"id": {"type": "integer"}, name: {"type": "string"}})
    through_all_layers(warehouse, stream)


def test_all_hostile_names_together(warehouse: PgConnection) -> None:
    through_all_layers(warehouse, make_stream({"id": {"type": "integer"}, **texts(HOSTILE)}))


def test_a_hundred_columns_that_differ_only_after_byte_63(warehouse: PgConnection) -> None:
    names = [f"{'é' * 40}{number:03}" for number in range(100)]
    through_all_layers(warehouse, make_stream({"id": {"type": "integer"}, **texts(names)}))


def test_three_hundred_columns(warehouse: PgConnection) -> None:
    kinds: list[dict[str, Any]] = [{"type": "string"}, {"type": "integer"}, {"type": "number"}]
    properties = {f"c{number}": kinds[number % 3] for number in range(300)}
    stream = make_stream({"id": {"type": "integer"}, **properties})
    versions = [
        Version("a", at(1), {"id": 1}),
        Version("b", at(2), {"id": 1} | {c: "1" if int(c[1:]) % 3 == 0 else 1 for c in properties}),
    ]
    create_landing(warehouse, stream)
    land(warehouse, stream, versions)
    build(warehouse, stream)
    assert len(read_navigate(warehouse, stream)) == 2


@pytest.mark.parametrize("name", ["select", 'a"b', "表", "", "%s", "x" * 70, "fields"])
def test_a_key_may_have_any_name(warehouse: PgConnection, name: str) -> None:
    through_all_layers(warehouse, make_stream(texts([name, "other"]), key=((name,),)))


@pytest.mark.parametrize("name", ["a'b", "{x}", "a,b", "a b", "", 'q"', "\\", "null", "%s"])
def test_a_key_inside_an_object_may_have_any_name(warehouse: PgConnection, name: str) -> None:
    stream = make_stream({"box": {"type": "object"}}, key=(("box", name),))
    create_landing(warehouse, stream)
    versions = [Version(f"{n}", at(n), {"box": {name: "k", "n": n}}) for n in (1, 2)]
    land(warehouse, stream, versions)
    build(warehouse, stream)
    assert len(read_navigate(warehouse, stream)) == 2
    check_navigate(warehouse, stream, NO_RULES, versions)


@pytest.mark.parametrize("name", ["import", "e2e/data-x y", "表", 'a"b', "%s", "x" * 100, "'"])
def test_a_stream_may_have_any_name(warehouse: PgConnection, name: str) -> None:
    slug = stream_slugs([(name, None)])[(name, None)]
    stream = make_stream({"id": {"type": "integer"}, **texts(["name"])}, name=name, slug=slug)
    through_all_layers(warehouse, stream)


def test_a_stream_without_columns(warehouse: PgConnection) -> None:
    stream = make_stream({}, key=())
    create_landing(warehouse, stream)
    land(warehouse, stream, [Version("a", at(1), {})])
    build(warehouse, stream)
    assert len(read_navigate(warehouse, stream)) == 1


def through_all_layers(connection: PgConnection, stream: Stream) -> None:
    """Two versions of a key and one of another: three segments, each with its own values."""
    versions = [version_of(stream, "a", 1, 1), version_of(stream, "b", 2, 1)]
    versions.append(version_of(stream, "c", 3, 2))
    create_landing(connection, stream)
    for version in versions:  # each but the first is an increment
        land(connection, stream, [version])
        build(connection, stream)
    assert len(read_navigate(connection, stream)) == len(versions)
    check_navigate(connection, stream, NO_RULES, versions)


def version_of(stream: Stream, raw_id: str, day: int, key: int) -> Version:
    data: dict[str, Any] = {
        column.name: f"{raw_id} {column.name}"
        for column in stream.columns
        if column.type is ColumnType.TEXT
    }
    name = stream.primary_key[0][0]
    data[name] = key if name == "id" else f"key {key}"
    return Version(raw_id, at(day), data)


def texts(names: list[str]) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}
