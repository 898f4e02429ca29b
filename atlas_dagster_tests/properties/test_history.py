"""Navigate equals the oracle: whatever arrives, in whatever order, however often it is built."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.effort import how_many
from atlas_dagster_tests.layers.support import chart, land, load, navigate
from atlas_dagster_tests.properties.crowd import FIRST, batches, crowd
from atlas_dagster_tests.properties.player import check_navigate, play, reset
from atlas_dagster_tests.properties.worlds import STREAM, World, random_world, worlds


@pytest.mark.parametrize("seed", range(50))
def test_navigate_is_what_the_rules_say(
    database: PgConnection, look_up: Callable[[bool], None], seed: int
) -> None:
    look_up(seed % 2 == 0)
    play(database, STREAM, random_world(random.Random(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1000 + how_many(300, 1500)))
def test_navigate_is_what_the_rules_say_in_many_worlds(
    database: PgConnection, look_up: Callable[[bool], None], seed: int
) -> None:
    look_up(seed % 2 == 0)
    play(database, STREAM, random_world(random.Random(seed)))


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=how_many(100, 500),
    print_blob=True,
    derandomize="CI" in os.environ,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds(), few=st.booleans())
def test_navigate_is_what_the_rules_say_in_worlds_that_shrink(
    database: PgConnection, look_up: Callable[[bool], None], world: World, few: bool
) -> None:
    look_up(few)
    play(database, STREAM, world)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_big_world_built_by_random_days_while_it_arrives(
    database: PgConnection, look_up: Callable[[bool], None], seed: int
) -> None:
    look_up(seed % 2 == 0)
    chance = random.Random(seed)
    days = [(FIRST + timedelta(days=day)).date() for day in range(20)]
    versions = crowd(seed, keys=2000, days=len(days))
    reset(database, STREAM)
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
