"""Random worlds: record versions, the order in which they arrive, and what is built when.

Few keys, few values and few instants, so that ties, duplicates, comebacks and late data are the
rule. Worlds are drawn, then played by ``play``; neither knows how the engine works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from atlas_dagster.config import StreamRules
from atlas_dagster_tests.layers.support import make_stream
from atlas_dagster_tests.properties.oracle import Version

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
    StreamRules(natural_key=(("id",), ("region",))),
    StreamRules(natural_key=(("region",), ("note",))),
    StreamRules(natural_key=(("box", "a"),)),
    StreamRules(natural_key=(("box", "a"), ("id",))),
    StreamRules(ignore=frozenset({"updated_at", "note"})),
    StreamRules(ignore=frozenset({"box"})),
    StreamRules(time_column="updated_at"),
    StreamRules(time_column="day", ignore=frozenset({"updated_at", "day"})),
)

REGIONS = ("a", "", "a,b", "b", None)
BOXES: tuple[Any, ...] = (
    None,
    {},
    {"a": 1},
    {"a": 1.0},
    {"a": 1, "b": None},
    {"a": True},
    {"a": "1"},
    {"a": None},
    {"a": {"b": None}},
    {"a": {}},
    {"a": [None]},
    {"a": []},
    {"a": [{"b": None}]},
    {"a": [{}]},
    {"a": ""},
    {"a": -1},
    {"a": [-1, 1]},
    {"a": [0] * 64},
    {"a": [1] * 64},
    {"a": {"b": 1, "c": 2}},
    {"a": {"b": 1}, "c": 2},
    {"a": "1.0"},
    {"a": ["1.0", 1.50]},
    {"a": ["1", 1.5]},
)
AMOUNTS = (None, Decimal("1"), Decimal("1.0"), Decimal("-1"), Decimal("1.5"), Decimal("10000"))
NOTES = (None, "", "b", "b,c")
# Sorted differently by code point and by any language's alphabet.
MARKS = "aAbB_-éZz0"


@dataclass(frozen=True)
class Step:
    """One thing that happens; what ``first`` and ``last`` mean depends on it.

    ``land``: so many more versions arrive; ``again``: a version that landed lands once more;
    ``swap``: landing is replaced by a table with the same rows; ``load``, and ``chart`` and
    ``navigate`` over days; ``sync``: so many arrive and go through all layers.
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


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """All properties that are not key, time, or the source's bookkeeping."""
    return {
        "box": draw(st.sampled_from(BOXES)),
        "amount": draw(st.sampled_from(AMOUNTS)),
        "note": draw(st.sampled_from(NOTES)),
        "active": draw(st.sampled_from((None, True, False))),
    }


@st.composite
def versions(draw: st.DrawFn, rules: StreamRules) -> tuple[Version, ...]:
    """Versions whose contents, keys and instants come from small pools of this world's own."""
    pool = draw(st.lists(contents(), min_size=1, max_size=3))
    ids = draw(st.sampled_from(((1,), (1, -1), (1, 10_000, None))))
    regions = draw(st.lists(st.sampled_from(REGIONS), min_size=1, max_size=2))
    instants = draw(st.lists(st.sampled_from(INSTANTS), min_size=1, max_size=5))
    updates = draw(st.lists(st.sampled_from(INSTANTS), min_size=1, max_size=4))
    cdc = draw(st.booleans())
    marks = draw(st.permutations(MARKS))
    found: list[Version] = []
    for number in range(draw(st.integers(2, 14))):
        updated = draw(st.sampled_from(updates))
        data = {
            "id": draw(st.sampled_from(ids)),
            "region": draw(st.sampled_from(regions)),
            **draw(st.sampled_from(pool)),
            "updated_at": updated if rules.time_column or rules.ignore else updates[0],
            "day": updated.date() if rules.time_column else None,
            "_ab_cdc_deleted_at": draw(st.sampled_from((None, None, None, "", "t")))
            if cdc
            else None,
            "_ab_cdc_lsn": draw(st.sampled_from((None, 9, 9, 10))) if cdc else None,
        }
        raw_id = f"{marks[number % len(marks)]}{number // len(marks)}"
        found.append(Version(raw_id, draw(st.sampled_from(instants)), data))
    return tuple(found)


def _days(what: str) -> st.SearchStrategy[Step]:
    day = st.integers(0, len(DAYS) - 1)
    return st.tuples(day, day).map(lambda pair: Step(what, min(pair), max(pair)))


STEPS = st.one_of(
    st.integers(1, 3).map(lambda count: Step("sync", count)),
    st.integers(1, 3).map(lambda count: Step("sync", count)),
    st.integers(1, 4).map(lambda count: Step("land", count)),
    st.integers(0, 13).map(lambda index: Step("again", index)),
    st.just(Step("load")),
    _days("chart"),
    _days("navigate"),
    _days("navigate"),
    st.just(Step("swap")),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    rules = draw(st.sampled_from(RULES))
    return World(
        rules=rules,
        dedup=draw(st.booleans()),
        versions=draw(versions(rules)),
        steps=tuple(draw(st.lists(STEPS, min_size=2, max_size=12))),
        closing=tuple(draw(st.permutations(list(range(len(DAYS))) * 2))),
    )


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
