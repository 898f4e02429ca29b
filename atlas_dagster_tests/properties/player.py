"""Plays a world against the engine and says what navigate holds, beside what the oracle says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection, identifier
from atlas_dagster_tests.layers.support import (
    NavigateRow,
    chart,
    create_landing,
    land,
    load,
    navigate,
    oracle_rules,
    purge,
    read_navigate,
    rows,
)
from atlas_dagster_tests.properties.oracle import (
    Segment,
    Version,
    canonical,
    history,
    natural_key,
)
from atlas_dagster_tests.properties.worlds import DAYS, Step, World, closing_steps, days_of


class Player:
    """A world under way: what has landed, what landing holds now, what a load has seen.

    ``held`` is what chart has rows of, None before there is a chart; ``dropped`` what explore has
    dropped.
    """

    def __init__(self, connection: PgConnection, stream: Stream, world: World) -> None:
        self.connection = connection
        self.stream = stream
        self.world = world
        self.coming = list(world.versions)
        self.landing: list[Version] = []
        self.seen: dict[str, Version] = {}
        self.held: set[str] | None = None
        self.dropped: set[str] = set()

    def play(self) -> None:
        """Everything in the world's order, and at the end each layer of each day at least once."""
        self.step(Step("load"))
        for step in self.world.steps:
            self.step(step)
        self.step(Step("land", len(self.coming)))
        self.step(Step("load"))
        for step in closing_steps(self.world.closing):
            self.step(step)

    def step(self, step: Step) -> None:
        getattr(self, f"_{step.what}")(step)

    def _sync(self, step: Step) -> None:
        every_day = Step("", 0, len(DAYS) - 1)
        self._land(step)
        self._load(step)
        self._chart(every_day)
        self._navigate(every_day)

    def _land(self, step: Step) -> None:
        arriving, self.coming = self.coming[: step.first], self.coming[step.first :]
        self.land(arriving)

    def _again(self, step: Step) -> None:
        if self.landing:
            self.land([self.landing[step.first % len(self.landing)]])

    def _swap(self, step: Step) -> None:
        swap_landing(self.connection, self.stream)

    def _load(self, step: Step) -> None:
        load(self.connection, self.stream)
        self.seen.update((version.raw_id, version) for version in self.landing)

    def _chart(self, step: Step) -> None:
        first, last = days_of(step)
        chart(self.connection, self.stream, self.world.rules, (first, last))
        of_days = {v.raw_id for v in self.seen.values() if first <= v.extracted_at.date() <= last}
        self.held = (self.held or set()) | of_days

    def _navigate(self, step: Step) -> None:
        if self.held is not None:
            navigate(self.connection, self.stream, self.world.rules, days_of(step))

    def _purge(self, step: Step) -> None:
        self._land(step)
        self._load(step)
        before = DAYS[0] + timedelta(days=step.last)
        purge(self.connection, self.stream, before)
        old = {v.raw_id for v in self.seen.values() if v.extracted_at.date() < before}
        self.dropped |= old & (self.held or set())

    def land(self, arriving: Sequence[Version]) -> None:
        """Append them; where the destination dedups, each one replaces the rows of its key."""
        if self.world.dedup:
            for version in arriving:
                self.replace(version)
        land(self.connection, self.stream, arriving)
        self.landing += arriving

    def replace(self, version: Version) -> None:
        rules = oracle_rules(self.stream, self.world.rules)
        key = natural_key(version, rules)
        gone = [v for v in self.landing if natural_key(v, rules) == key]
        self.landing = [v for v in self.landing if natural_key(v, rules) != key]
        self.connection.execute(
            sql.SQL("delete from {} where _airbyte_raw_id = any(%s)").format(
                identifier(self.stream.landing)
            ),
            ([v.raw_id for v in gone],),
        )


def play(connection: PgConnection, stream: Stream, world: World) -> None:
    """Play a world from nothing; raises AssertionError where navigate is not what it must be."""
    reset(connection, stream)
    player = Player(connection, stream, world)
    player.play()
    loaded = {row["_airbyte_raw_id"] for row in rows(connection, stream, "explore")}
    assert loaded == player.seen.keys() - player.dropped
    check_navigate(connection, stream, world.rules, player.seen.values())


def check_navigate(
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
    versions: Iterable[Version],
) -> None:
    """Navigate equals the oracle, row by row, and stays the same when it is built anew."""
    expected = history(versions, oracle_rules(stream, rules))
    found = read_navigate(connection, stream)
    assert [shown(row) for row in found] == [told(segment) for segment in expected]
    _check_keys(found, expected)
    drop_navigate(connection, stream)
    navigate(connection, stream, rules)
    assert read_navigate(connection, stream) == found


def _check_keys(found: Sequence[NavigateRow], expected: Sequence[Segment]) -> None:
    assert len({row.surrogate_key for row in found}) == len(found)
    pairs = {(row.natural_key, segment.key) for row, segment in zip(found, expected, strict=True)}
    assert len(pairs) == len({text for text, _ in pairs}) == len({key for _, key in pairs})


def shown(row: NavigateRow) -> tuple[Any, ...]:
    current = (row.is_current,)
    return (row.raw_id, row.valid_from, row.valid_to, row.closed_by, *current, _exact(row.data))


def told(segment: Segment) -> tuple[Any, ...]:
    current = (segment.valid_to is None,)
    times = (segment.valid_from, segment.valid_to, segment.closed_by)
    return (segment.raw_id, *times, *current, _exact(segment.data))


def _exact(data: Any) -> tuple[Any, Any]:
    """Equal only where values and types agree: a null field shows, and True is not 1."""
    return (data, canonical(data))


def reset(connection: PgConnection, stream: Stream) -> None:
    """Nothing landed, nothing built."""
    name = stream.table_name
    connection.execute(
        sql.SQL(
            """
            drop table if exists {landing}, {explore}, {chart}, {navigate} cascade;
            delete from pipeline.layer_table where table_name = {name};
            delete from pipeline.explore_progress where table_name = {name};
            """
        ).format(
            landing=identifier(stream.landing),
            explore=sql.Identifier("explore", name),
            chart=sql.Identifier("chart", name),
            navigate=sql.Identifier("navigate", name),
            name=sql.Literal(name),
        )
    )
    create_landing(connection, stream)


def drop_navigate(connection: PgConnection, stream: Stream) -> None:
    connection.execute(
        sql.SQL("drop table {} cascade").format(sql.Identifier("navigate", stream.table_name))
    )


def swap_landing(connection: PgConnection, stream: Stream) -> None:
    """Replace the landing table by another with the same rows, as an overwrite does."""
    landing = identifier(stream.landing)
    old = sql.Identifier(stream.landing.schema, "old")
    with connection.transaction():
        connection.execute(sql.SQL("create table {} as table {}").format(old, landing))
        connection.execute(sql.SQL("drop table {}").format(landing))
        connection.execute(
            sql.SQL("alter table {} rename to {}").format(old, sql.Identifier(stream.landing.name))
        )
