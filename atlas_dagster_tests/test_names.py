"""Slugs and identifiers: distinct, stable, and as Airbyte makes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.names import (
    SYSTEM_COLUMNS,
    airbyte_columns,
    airbyte_identifier,
    airbyte_tables,
    bounded_identifier,
    layer_table,
    slug,
    unique_columns,
    unique_slugs,
)

any_text = st.text(st.characters(), max_size=90)  # lone surrogates and NUL among them
clashing_text = st.text("aA-_ é", max_size=5)
some_names = st.lists(any_text | clashing_text, max_size=12, unique=True)
some_columns = st.lists(
    any_text
    | st.builds(
        "".join, st.lists(st.sampled_from(["_", "_atlas_", "_airbyte_", "xmin", "é" * 32]))
    ),
    max_size=12,
    unique=True,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users", "users"),
        ("My Shop (EU)", "my_shop_eu"),
        ("a__b", "a_b"),
        ("café", "cafe"),
        ("e2e/data-x y", "e2e_data_x_y"),
        ("import", "import"),
    ],
)
def test_a_slug_reduces_a_name_to_lower_case_words(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_names_without_a_latin_letter_still_have_slugs_of_their_own() -> None:
    assert slug("表") != slug("北京")
    assert re.fullmatch("x[0-9a-f]{8}", slug("表"))


def test_of_names_that_clash_only_the_one_that_is_its_own_slug_keeps_it() -> None:
    slugs = unique_slugs(["a b", "a_b", "a-b"])
    assert slugs["a_b"] == "a_b"
    assert slugs["a b"].startswith("a_b_")
    assert slugs["a-b"].startswith("a_b_")


def test_a_name_that_looks_like_the_slug_of_another_is_told_apart() -> None:
    tailed = unique_slugs(["a b", "a-b"])["a b"]
    assert len(set(unique_slugs(["a b", "a-b", tailed]).values())) == 3


@given(some_names)
def test_slugs_are_legal_and_never_clash(names: list[str]) -> None:
    slugs = unique_slugs(names)
    assert set(slugs) == set(names)
    assert len(set(slugs.values())) == len(names)
    for value in slugs.values():
        assert re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", value)


@given(some_names.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))))
def test_slugs_do_not_depend_on_the_order_of_the_names(lists: tuple[list[str], list[str]]) -> None:
    names, reordered = lists
    assert unique_slugs(names) == unique_slugs(reordered)


@given(any_text)
def test_a_bounded_identifier_is_one_that_postgresql_can_hold(name: str) -> None:
    identifier = bounded_identifier(name)
    assert 1 <= len(identifier.encode()) <= 63
    assert "\0" not in identifier


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15))
def test_a_short_identifier_stays_as_it_is(name: str) -> None:
    assert bounded_identifier(name) == name


def test_a_name_is_cut_between_characters_and_two_long_names_stay_two() -> None:
    one, other = bounded_identifier("é" * 40 + "1"), bounded_identifier("é" * 40 + "2")
    assert one.startswith("é" * 27 + "_")
    assert one != other


def test_layer_tables_of_long_streams_stay_apart() -> None:
    assert layer_table("faker", "users") == "faker__users"
    assert layer_table("c", "x" * 200) != layer_table("c", "x" * 201)


@given(some_columns)
def test_columns_are_distinct_within_63_bytes(names: list[str]) -> None:
    columns = unique_columns(names)
    cut = [column.encode()[:63] for column in columns.values()]
    assert len(set(cut)) == len(names)
    assert all(len(column.encode()) <= 63 for column in columns.values())


@given(some_columns)
def test_columns_do_not_depend_on_the_order_of_the_fields(names: list[str]) -> None:
    assert unique_columns(names) == unique_columns(reversed(names))


@given(some_columns)
def test_no_column_takes_a_name_of_ours_or_of_postgresql(names: list[str]) -> None:
    for column in unique_columns(names).values():
        assert not column.startswith(("_atlas_", "_airbyte_"))
        assert column not in SYSTEM_COLUMNS


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("valid_from", "valid_from"),
        ("_atlas_run_id", "__atlas_run_id"),
        ("__atlas_run_id", "___atlas_run_id"),
        ("_airbyte_meta", "__airbyte_meta"),
        ("xmin", "_xmin"),
        ("xmin_at", "xmin_at"),
        ("Weird \"Name'", "Weird \"Name'"),
    ],
)
def test_a_field_keeps_its_name_unless_it_is_reserved(name: str, column: str) -> None:
    assert unique_columns([name]) == {name: column}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("my-table", "my_table"),
        ("café", "cafe"),
        ("1st", "_1st"),
        ("a  b", "a_b"),
        ("a\u2028\u2028b", "a__b"),  # no white space to Java
        ("北京", "__"),
        ("Users", "Users"),
        ("x" * 63, "x" * 63),
        ("x" * 70, f"{'x' * 54}_34701312"),
        ("x" * 60 + "900900", f"{'x' * 54}_-9677984"),  # the minus of a short negative hash
    ],
)
def test_airbyte_identifiers_are_those_of_the_destination(name: str, identifier: str) -> None:
    assert airbyte_identifier(name) == identifier


@given(any_text)
def test_an_airbyte_identifier_is_legal_and_stays_when_made_again(name: str) -> None:
    identifier = airbyte_identifier(name)
    assert re.fullmatch(r"[A-Za-z_](\w{0,62}|\w{53}_-\d{0,7})", identifier, flags=re.ASCII)
    if "-" not in identifier:
        assert airbyte_identifier(identifier) == identifier


def test_columns_that_airbyte_reduces_to_one_are_numbered_in_order() -> None:
    assert airbyte_columns(["a b", "a-b", "a_b", "a_b_1"]) == {
        "a b": "a_b",
        "a-b": "a_b_1",
        "a_b": "a_b_2",
        "a_b_1": "a_b_1_1",
    }


def test_long_columns_that_airbyte_cuts_alike_are_kept_apart() -> None:
    columns = airbyte_columns(["é" * 70, "e" * 70])
    assert len(set(columns.values())) == 2
    assert all(len(column) <= 63 for column in columns.values())


@pytest.mark.parametrize("name", ["_airbyte_raw_id", "ctid"])
def test_a_property_does_not_take_the_column_of_airbyte_or_of_postgresql(name: str) -> None:
    assert airbyte_columns([name]) == {name: f"{name}_1"}


@given(some_names)
def test_landing_columns_are_distinct(names: list[str]) -> None:
    assert len(set(airbyte_columns(names).values())) == len(names)


def test_streams_that_airbyte_reduces_to_one_table_get_its_hash() -> None:
    tables = airbyte_tables([("s", "x y"), ("s", "x-y"), ("t", "x-y")])
    assert tables == [("s", "x_y"), ("s", "x_y_941"), ("t", "x_y")]
