"""The random worlds notice where something is missing from the SQL: each mutant loses one thing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from atlas_dagster_tests.conftest import new_database
from atlas_dagster_tests.properties.player import play
from atlas_dagster_tests.properties.worlds import STREAM, random_world

pytestmark = pytest.mark.slow

WORLDS = range(5000, 5400)

MUTANTS = {
    "no sequence of the source's own": ("_atlas_sequence desc nulls last, ", ""),
    "no deletion after an upsert of its instant": ("_atlas_deleted desc, ", ""),
    "the lowest raw id decides": ("_airbyte_raw_id desc", "_airbyte_raw_id"),
    "keys that are null": ("_atlas_natural_key is not null and ", ""),
    "a segment for each version": ("where state is distinct from state_before", "where true"),
    "the segment that is open before a change is forgotten": (
        "where valid_from < since",
        "where false",
    ),
    "a change begins after its instant": (
        "chart._atlas_instant >= changed.since",
        "chart._atlas_instant > changed.since",
    ),
    "a segment that ends where a change begins is not looked at": (
        "navigate._atlas_valid_to >= changed.since",
        "navigate._atlas_valid_to > changed.since",
    ),
    "another version of the same content may open a segment": (
        "and navigate._airbyte_raw_id <> version.raw_id",
        "and false",
    ),
    "no anti-join of explore": ("on conflict (_airbyte_raw_id) do nothing", ""),
    "no anti-join of chart": (
        "present._airbyte_raw_id = explored._airbyte_raw_id",
        "false",
    ),
    "null is not the same as missing": ("jsonb_strip_nulls(", "("),
    "1 is not 1.0": ("trim_scale(", "("),
}


class Mutated(psycopg.Connection[tuple[Any, ...]]):
    """A connection on whose way to the server a text is replaced in every statement."""

    old, new, hits = "", "", 0

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        if self.old and self.old in text:
            self.hits += 1
            text = text.replace(self.old, self.new)
        return super().execute(text.encode(), *arguments, **options)


@pytest.fixture(scope="module")
def mutated(postgres: str, template_database: str) -> Iterator[Mutated]:
    with (
        new_database(postgres, template=template_database) as url,
        Mutated.connect(url, autocommit=True, options="-c timezone=UTC") as connection,
    ):
        yield connection


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_world_notices(mutated: Mutated, mutant: str) -> None:
    mutated.old, mutated.new = MUTANTS[mutant]
    mutated.hits = 0
    noticed = any(differs(mutated, seed) for seed in WORLDS)
    assert mutated.hits > 0, "the SQL does not say this any more"
    assert noticed


def test_what_is_not_mutated_passes(mutated: Mutated) -> None:
    mutated.old = ""
    assert not any(differs(mutated, seed) for seed in WORLDS[:20])


def differs(connection: Mutated, seed: int) -> bool:
    try:
        play(connection, STREAM, random_world(random.Random(seed)))
    except (AssertionError, psycopg.Error):
        return True
    return False
