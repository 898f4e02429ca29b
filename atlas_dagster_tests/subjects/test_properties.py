"""Whatever is built, reloaded and dropped after an erasure, in any order: nobody comes back."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.layers.policy import NO_POLICY, FieldPolicy, StreamPolicy, stream_policy
from atlas_dagster.pii_rules import Action, field_path
from atlas_dagster.subjects.erase import Mode
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    create_landing,
    land,
    load,
    navigate,
    purge,
    read_navigate,
    rows,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.subjects.support import (
    SECRET,
    build,
    catalogued,
    check_counts,
    erase,
    found,
    places,
)

PROPERTIES = {
    "id": {"type": "integer"},
    "email": {"type": "string"},
    "born": {"type": "string", "format": "date"},
    "contact": {"type": "object"},
    "note": {"type": "string"},
}
PERSONAL = [field_path(name) for name in ("email", "contact.mails[]", "contact.by.*.mail")]
POLICIES = [
    NO_POLICY,
    stream_policy([FieldPolicy(("email",), Action.HASH)], SECRET),
    stream_policy([FieldPolicy(path, Action.MASK) for path in PERSONAL[1:]], None),
    stream_policy(
        [FieldPolicy(("email",), Action.HASH), FieldPolicy(PERSONAL[1], Action.HASH)], SECRET
    ),
]
KEYS: list[list[list[str]]] = [[["id"]], [["email"]], [["id"], ["email"]], []]
DAYS = 6


def mail(person: int) -> str:
    return f"person-{person}@example.com"


def versions(chance: random.Random, count: int, name: str) -> list[Version]:
    """Of eight persons, each with an address that may lie anywhere a record has addresses."""
    found = []
    for number in range(count):
        person = chance.randrange(8)
        data: dict[str, Any] = {"id": person, "email": mail(person)}
        if chance.random() < 0.5:
            data["contact"] = chance.choice(
                [
                    {"mails": [mail(person), None, 5]},
                    {"mails": mail(person)},
                    {"by": {"home": {"mail": mail(person)}, "work": None}},
                    {"deep": [[{"x": f"<{mail(person)}>"}]]},
                    [mail(person)],
                ]
            )
        if chance.random() < 0.3:
            data["note"] = f"{chance.randrange(3)}: wrote to {mail(person)}"
        found.append(Version(f"{name}-{number}", at(chance.randint(1, DAYS), person), data))
    return found


def some_days(chance: random.Random) -> tuple[date, date]:
    first, last = sorted(chance.choices(range(1, DAYS + 1), k=2))
    return at(first).date(), at(last).date()


def do_something(
    connection: PgConnection, stream: Stream, policy: StreamPolicy, chance: random.Random
) -> None:
    """One step of what runs, operators and accidents do to the layers."""
    step = chance.choice(["load", "reload", "chart", "navigate", "purge", "drop", "explore"])
    if step == "load":
        load(connection, stream)
    elif step == "reload":
        connection.execute("truncate pipeline.explore_progress")
        load(connection, stream)
    elif step == "chart":
        chart(connection, stream, days=some_days(chance), policy=policy)
    elif step == "navigate":
        navigate(connection, stream, days=some_days(chance), policy=policy)
    elif step == "purge":
        purge(connection, stream, some_days(chance)[0])
    elif step == "drop":
        connection.execute("drop table navigate.crm__people cascade")
        build(connection, stream, policy)
    else:
        connection.execute("drop table explore.crm__people")
        load(connection, stream)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(48))
def test_who_was_erased_is_in_no_table_after_any_sequence_of_builds(
    warehouse: PgConnection, seed: int
) -> None:
    chance = random.Random(seed)
    policy, key, mode = POLICIES[seed % 4], KEYS[seed // 4 % 4], chance.choice(list(Mode))
    (stream,) = catalogued(warehouse, {"people": PROPERTIES}, keys={"people": key})
    create_landing(warehouse, stream)
    land(warehouse, stream, versions(chance, 40, "first"))
    build(warehouse, stream, policy)
    found(warehouse, stream, *PERSONAL)
    for _ in range(chance.randrange(3)):
        do_something(warehouse, stream, policy, chance)
    land(warehouse, stream, versions(chance, 10, "not loaded"))
    others = [row for row in read_navigate(warehouse, stream) if not is_of(row.data, (1, 2))]
    for person in (1, 2):
        erase(warehouse, mail(person), mode=mode)
        assert places(warehouse, mail(person)) == []
    check_counts(warehouse)
    left = [row for row in read_navigate(warehouse, stream) if not is_of(row.data, (1, 2))]
    assert {row.raw_id for row in others} <= {row.raw_id for row in left}
    land(warehouse, stream, versions(chance, 10, "on its way"))
    for _ in range(6):
        do_something(warehouse, stream, policy, chance)
        assert places(warehouse, mail(1), mail(2)) == []
    build(warehouse, stream, policy)
    assert places(warehouse, mail(1), mail(2)) == []
    check_counts(warehouse)
    follows_from_chart(warehouse, stream, policy)


def is_of(data: Any, persons: tuple[int, ...]) -> bool:
    return data["id"] in persons


def follows_from_chart(connection: PgConnection, stream: Stream, policy: StreamPolicy) -> None:
    """Navigate, and chart but for when and by whom it was written, are what a new build makes."""
    segments, charted = read_navigate(connection, stream), chart_rows(connection, stream)
    connection.execute("drop table navigate.crm__people cascade")
    connection.execute("update pipeline.layer_table set definition = 'x' where layer = 'chart'")
    build(connection, stream, policy)
    assert read_navigate(connection, stream) == segments
    assert chart_rows(connection, stream) == charted


def chart_rows(connection: PgConnection, stream: Stream) -> list[dict[str, Any]]:
    left_out = ("_atlas_run_id", "_atlas_pii_checked")
    return [
        {name: value for name, value in row.items() if name not in left_out}
        for row in rows(connection, stream, "chart")
    ]
