"""Navigate equals the oracle: whatever arrives, in whatever order, however often it is built."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from atlas_dagster.config import StreamRules
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.layers.support import chart, create_landing, land, load, navigate
from atlas_dagster_tests.properties.crowd import FIRST, batches, crowd
from atlas_dagster_tests.properties.player import check_navigate, play
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


@settings(ANY_WORLD, max_examples=50)
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_big_world_built_by_random_days_while_it_arrives(
    database: PgConnection, seed: int
) -> None:
    chance = random.Random(seed)
    days = [(FIRST + timedelta(days=day)).date() for day in range(20)]
    versions = crowd(seed, keys=2000, days=len(days))
    create_landing(database, STREAM)
    for batch in batches(versions, seed, count=10):
        land(database, STREAM, batch)
        load(database, STREAM)
        for _ in range(3):
            first, last = sorted(chance.choices(days, k=2))
            chart(database, STREAM, days=(first, last))
            navigate(database, STREAM, days=(first, last))
    for day in chance.sample(days, k=len(days)):
        chart(database, STREAM, days=(day, day))
        navigate(database, STREAM, days=(day, day))
    check_navigate(database, STREAM, StreamRules(), versions)
