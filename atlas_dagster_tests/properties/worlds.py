"""Random worlds: record versions, the order in which they arrive, and what is built when.

Few keys, few values and few instants, so that ties, duplicates, comebacks and late data are the
rule. Worlds are drawn, then played by ``play``; neither knows how the engine works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from atlas_dagster.rules import StreamRules
from atlas_dagster_tests.layers.support import make_stream
from atlas_dagster_tests.properties.oracle import Version

T = TypeVar("T")

DAYS = tuple(date(2024, 1, day) for day in range(1, 5))
TIMES = ((0, 0, 0, 0), (0, 0, 0, 1), (12, 0, 0, 0), (23, 59, 59, 999_999))
INSTANTS = tuple(
    datetime(d.year, d.month, d.day, *t, tzinfo=timezone.utc) for d in DAYS for t in TIMES
)

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "region": {"type": "string"},
    "box": {"type": "object"},
    "amount": {"type": "number"},
    "note": {"type": "string"},
    "active": {"type": "boolean"},
    "updated_at": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "_ab_cdc_deleted_at": {"type": "string"},
    "_ab_cdc_lsn": {"type": "number"},
}
STREAM = make_stream(PROPERTIES)

ID = (("id",),)
RULES = (
    StreamRules(),
    StreamRules(),
    StreamRules(natural_key=(("id",), ("region",))),
    StreamRules(natural_key=(("region",), ("note",))),
    StreamRules(natural_key=(("amount",),)),
    StreamRules(natural_key=(("box", "a"),)),
    StreamRules(natural_key=(("box", "a"), ("id",))),
    StreamRules(ignore=frozenset({"updated_at", "note"})),
    StreamRules(ignore=frozenset({"box"})),
    StreamRules(time_column="updated_at"),
    StreamRules(time_column="day", ignore=frozenset({"updated_at", "day"})),
)

# Of each family a world draws all its values, so that those that are nearly the same often meet.
BOXES: tuple[tuple[Any, ...], ...] = (
    ({"a": 1}, {"a": 1.0}, {"a": 1, "b": None}),
    ({"a": [1.0]}, {"a": [1]}, {"a": [-1]}),
    ({"a": 1}, {"a": "1"}, {"a": True}, {"a": "true"}),
    ({"a": "x"}, {"a": "x", "b": None}, {"a": "x", "b": {}}),
    ({"a": {}}, {"a": {"b": None}}),
    ({"a": None}, {}, None),
    ({"a": []}, {"a": [None]}),
    ({"a": [{}]}, {"a": [{"b": None}]}),
    ({"a": ["1.0", 1.0]}, {"a": ["1", 1]}, {"a": ["1.0", 1]}),
    ({"a": [0] * 64}, {"a": [1] * 64}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}, "c": 2}),
)
AMOUNTS = (
    (None, Decimal("1"), Decimal("1.0")),
    (Decimal("1"), Decimal("1.00"), Decimal("-1")),
    (Decimal("1"), Decimal("10000"), Decimal("1.5")),
)
REGIONS = (("a", "a,b"), ("", None), ("a", "A"))
NOTES = (("c", "b,c"), ("", None), ("1", "1.0"))
# Sorted differently by code point and by any language's alphabet.
MARKS = "aAbB_-éZz0"


@dataclass(frozen=True)
class Step:
    """One thing that happens; what ``first`` and ``last`` mean depends on it.

    ``land``: so many more versions arrive; ``again``: a version that landed lands once more;
    ``swap``: landing is replaced by a table with the same rows; ``load``, and ``chart`` and
    ``navigate`` over days; ``sync``: so many arrive and go through all layers; ``purge``: so many
    arrive and are loaded, and explore drops what chart holds of the first ``last`` days.
    """

    what: str
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class World:
    """``closing`` names each day at least twice: first its chart is built, then its navigate."""

    rules: StreamRules
    dedup: bool
    versions: tuple[Version, ...]
    steps: tuple[Step, ...]
    closing: tuple[int, ...]


class Chance(Protocol):
    """Where a world's choices come from: a seed, or Hypothesis, which can shrink what it finds."""

    def choice(self, values: Sequence[T], /) -> T: ...
    def randint(self, least: int, most: int, /) -> int: ...
    def sample(self, values: Sequence[T], count: int, /) -> list[T]: ...


@dataclass(frozen=True)
class Drawn:
    """Choices that Hypothesis makes."""

    draw: st.DrawFn

    def choice(self, values: Sequence[T]) -> T:
        return self.draw(st.sampled_from(values))

    def randint(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        return list(self.draw(st.permutations(values)))[:count]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    return random_world(Drawn(draw))


def random_world(chance: Chance) -> World:
    rules = chance.choice(RULES)
    return World(
        rules=rules,
        dedup=chance.choice((False, False, True)),
        versions=_versions(chance, rules),
        steps=tuple(_step(chance) for _ in range(chance.randint(2, 10))),
        closing=tuple(chance.sample(list(range(len(DAYS))) * 2, 2 * len(DAYS))),
    )


def _versions(chance: Chance, rules: StreamRules) -> tuple[Version, ...]:
    """Versions whose contents, keys and instants come from small pools of this world's own."""
    pool = _pool(chance)
    ids = chance.choice(((1,), (1,), (1, -1), (1, 10_000, None)))
    regions = chance.choice(REGIONS)
    instants = chance.sample(INSTANTS, chance.randint(2, 7))
    updates = chance.sample(INSTANTS, chance.randint(2, 4))
    cdc = chance.choice((False, True))
    marks = chance.sample(MARKS, len(MARKS))
    found: list[Version] = []
    for number in range(chance.randint(4, 14)):
        updated = chance.choice(updates)
        data = {
            "id": chance.choice(ids),
            "region": chance.choice(regions),
            **chance.choice(pool),
            "updated_at": updated if rules.time_column or rules.ignore else updates[0],
            "day": updated.date() if rules.time_column else None,
            "_ab_cdc_deleted_at": chance.choice((None, None, None, "", "t")) if cdc else None,
            "_ab_cdc_lsn": chance.choice((None, 9, 9, 10)) if cdc else None,
        }
        raw_id = f"{marks[number % len(marks)]}{number // len(marks)}"
        found.append(Version(raw_id, chance.choice(instants), data))
    return tuple(found)


def _pool(chance: Chance) -> list[dict[str, Any]]:
    """A few contents: all properties that are not key, time, or the source's bookkeeping.

    Each property varies in few worlds, lest no two contents are nearly the same.
    """
    boxes, amounts, notes = chance.choice(BOXES), chance.choice(AMOUNTS), chance.choice(NOTES)
    varying = chance.choice(("box", "box", "box", "amount", "note", "active", "all"))
    pool = {
        "box": boxes if varying in ("box", "all") else boxes[:1],
        "amount": amounts if varying in ("amount", "all") else amounts[:1],
        "note": notes if varying in ("note", "all") else notes[:1],
        "active": (None, False, True) if varying in ("active", "all") else (None,),
    }
    return [{name: chance.choice(pool[name]) for name in pool} for _ in range(3)]


def _step(chance: Chance) -> Step:
    what = chance.choice(
        ("sync",) * 3
        + ("land", "again", "swap", "load", "chart", "navigate", "navigate", "purge", "purge")
    )
    match what:
        case "sync" | "land":
            return Step(what, chance.randint(1, 3))
        case "again":
            return Step(what, chance.randint(0, 13))
        case "chart" | "navigate":
            days = (chance.randint(0, len(DAYS) - 1), chance.randint(0, len(DAYS) - 1))
            return Step(what, min(days), max(days))
        case "purge":
            return Step(what, chance.randint(0, 2), chance.randint(1, len(DAYS)))
        case _:
            return Step(what)


def days_of(step: Step) -> tuple[date, date]:
    return DAYS[step.first], DAYS[step.last]


def closing_steps(closing: Sequence[int]) -> list[Step]:
    """Each day's chart where it is first named, its navigate from the second time on."""
    charted: set[int] = set()
    steps: list[Step] = []
    for day in closing:
        steps.append(Step("navigate" if day in charted else "chart", day, day))
        charted.add(day)
    return steps
