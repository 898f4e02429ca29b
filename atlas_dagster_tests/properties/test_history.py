"""Navigate equals the oracle: whatever arrives, in whatever order, however often it is built."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.properties.player import play
from atlas_dagster_tests.properties.worlds import STREAM, World, worlds

ANY_WORLD = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def database(warehouse_url: str) -> Iterator[PgConnection]:
    """One database for all worlds of a test, which need not outlive the machine."""
    with connect(warehouse_url) as connection:
        connection.execute("set synchronous_commit = off")
        yield connection


@settings(ANY_WORLD, max_examples=60)
@given(world=worlds())
def test_navigate_is_what_the_rules_say(database: PgConnection, world: World) -> None:
    play(database, STREAM, world)


@pytest.mark.slow
@settings(ANY_WORLD, max_examples=1500, derandomize="CI" in os.environ)
@given(world=worlds())
def test_navigate_is_what_the_rules_say_in_many_worlds(
    database: PgConnection, world: World
) -> None:
    play(database, STREAM, world)
