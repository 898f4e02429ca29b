"""A big random world: many keys over many days, seeded, the same in every process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from atlas_dagster_tests.properties.oracle import Version

FIRST = datetime(2024, 1, 1, tzinfo=timezone.utc)


def crowd(seed: int, keys: int, days: int) -> list[Version]:
    """Versions of the stream of ``worlds``: all keys on the first day, a fifth on each other."""
    chance = random.Random(seed)
    versions = [_version(chance, f"0-{key}", key, 0) for key in range(keys)]
    for day in range(1, days):
        versions += [
            _version(chance, f"{day}-{number}", chance.randrange(keys), day)
            for number in range(keys // 5)
        ]
    return versions


def batches(versions: list[Version], seed: int, count: int) -> Iterator[list[Version]]:
    """In the order of time, except for a tenth that comes late or early."""
    chance = random.Random(seed)
    order = {v.raw_id: n for n, v in enumerate(versions)}
    late = {v.raw_id for v in versions if chance.random() < 0.1}
    shuffled = sorted(
        versions,
        key=lambda v: chance.randrange(len(order)) if v.raw_id in late else order[v.raw_id],
    )
    size = -(-len(shuffled) // count)
    yield from (shuffled[start : start + size] for start in range(0, len(shuffled), size))


def _version(chance: random.Random, raw_id: str, key: int, day: int) -> Version:
    # Few instants a day, so that versions of one key often share one.
    moment = FIRST + timedelta(days=day, hours=chance.choice((0, 0, 6, 12, 23)))
    data: dict[str, Any] = {
        "id": key if chance.random() > 0.01 else None,
        "region": chance.choice(("north", "south")),
        "box": {"level": chance.choice((1, 1.0, 2)), "tags": [key % 3]},
        "amount": Decimal(chance.choice(("1", "1.00", "-1"))),
        "note": chance.choice((None, "")),
        "active": chance.random() < 0.9,
        "updated_at": FIRST,
        "day": None,
        "_ab_cdc_deleted_at": "now" if chance.random() < 0.1 else None,
        "_ab_cdc_lsn": chance.choice((None, day, day + 1)),
    }
    return Version(raw_id, moment, data)
