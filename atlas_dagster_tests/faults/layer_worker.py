"""A process that builds the layers of random days until it is killed or has done its rounds.

``python -m atlas_dagster_tests.faults.layer_worker <database url> <seed> <days> <rounds> <purges>``
With ``purges`` not 0, each round ends with a purge of explore up to a random day. It writes a line
before each step, so that whoever kills it knows that it is at work.
"""

from __future__ import annotations

import random
import sys
from datetime import timedelta

from atlas_dagster.warehouse import connect
from atlas_dagster_tests.layers.support import chart, load, navigate, purge
from atlas_dagster_tests.properties.crowd import FIRST
from atlas_dagster_tests.properties.worlds import STREAM


def work(url: str, seed: int, days: int, rounds: int, purges: int) -> None:
    chance = random.Random(seed)
    every_day = [(FIRST + timedelta(days=day)).date() for day in range(days)]
    with connect(url) as connection:
        for _ in range(rounds):
            first, last = sorted(chance.choices(every_day, k=2))
            say("load")
            load(connection, STREAM)
            say("chart")
            chart(connection, STREAM, days=(first, last))
            say("navigate")
            navigate(connection, STREAM, days=(first, last))
            if purges:
                say("purge")
                purge(connection, STREAM, chance.choice(every_day))
    say("done")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    work(sys.argv[1], *map(int, sys.argv[2:]))
