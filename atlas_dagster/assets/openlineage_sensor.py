"""The sensor `openlineage`: what runs do is told to a lineage backend while they do it.

The event log is the backlog: the cursor moves past a run when the backend has taken all of its
events. A tick that is cut off before Dagster saves the cursor sends some of them again, with the
ids that they had.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from atlas_dagster.assets.ended_works import OUTSIDE, read_outside
from atlas_dagster.assets.layer_runs import BUDGET_SECONDS
from atlas_dagster.assets.openlineage_datasets import Surroundings
from atlas_dagster.assets.openlineage_events import outside_events
from atlas_dagster.assets.openlineage_reading import NOTHING, begun_events, ended_events
from atlas_dagster.assets.partitions import utc_day
from atlas_dagster.assets.run_ends import RunEnd, ends_before, settled
from atlas_dagster.errors import ConfigError
from atlas_dagster.lineage.sending import Refused, Sender
from atlas_dagster.lineage.transport import is_configured, open_client

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

    from atlas_dagster.lineage.model import Event

KEPT_DAYS = 7
"""For how long events wait for a backend; what ended before is given up. Without a cursor nothing
older is told."""

COUNTING_SECONDS = 10.0
"""How long a tick counts what waits, where the backend takes nothing."""

NOT_CONFIGURED = "OpenLineage is not configured: nothing is told; OPENLINEAGE_URL names a backend"

_WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class OpenLineageCursor(msgspec.Struct, frozen=True):
    """Up to which event the log is told, by its kind, and what of some runs is told beyond that.

    ``runs``: up to where in the log starts are taken, and how many events after them; ``ends``: of
    which end of the run those are. ``since``: when the backend last began to take nothing.
    ``waiting`` counts events by the day on which their run ended, ``counted`` says up to where.
    ``stuck``: an event that is in the way.
    """

    after: dict[str, int] = {}
    runs: dict[str, tuple[int, int]] = {}
    ends: dict[str, int] = {}
    since: float | None = None
    waiting: dict[str, int] = {}
    counted: dict[str, int] = {}
    stuck: tuple[str, int] = ("", 0)


@dataclass
class Tick:
    """A tick: what it reads from, whom it tells, and where it has come to.

    Times are in seconds since 1970; ``newest`` is up to when events are settled.
    """

    instance: dg.DagsterInstance
    sender: Sender
    around: Surroundings
    newest: float
    after: dict[str, int]
    runs: dict[str, tuple[int, int]]
    ends: dict[str, int]
    waiting: dict[str, int]
    counted: dict[str, int]
    since: float | None = None
    given_up: int = 0

    @property
    def oldest(self) -> float:
        """What ended before is given up: the beginning of a UTC day."""
        day = datetime.fromtimestamp(self.newest, timezone.utc) - timedelta(days=KEPT_DAYS)
        return day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def left(self, end: RunEnd) -> tuple[int, list[Event]]:
        """What is to be told of a run that has ended: how much of it is told, and all of it."""
        announced, done = self.runs.get(end.run_id, (NOTHING, 0))
        if self.ends.get(end.run_id, end.storage_id) != end.storage_id:
            done = 0  # it has ended anew meanwhile
        return done, ended_events(self.instance, end, self.around, self.after, announced)


def build_openlineage_sensor(ask_around: Callable[[], Surroundings]) -> dg.SensorDefinition:
    """The sensor; it is off unless OpenLineage's own configuration names a transport."""
    ask, kept_around = cache(open_client), cache(ask_around)

    def openlineage(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not is_configured():
            return dg.SensorResult(skip_reason=NOT_CONFIGURED)
        try:
            client, around = ask(), kept_around()
        except ConfigError as error:
            context.log.error(str(error))
            return dg.SensorResult(skip_reason=str(error))
        deadline = time.monotonic() + BUDGET_SECONDS
        tick = begin(context.instance, client, around, _parse(context.cursor), deadline)
        cursor = tell(tick)
        for line in _warnings(tick):
            context.log.warning(line)
        return dg.SensorResult(
            cursor=msgspec.json.encode(cursor).decode(), skip_reason=summary(tick)
        )

    return dg.SensorDefinition(
        name="openlineage",
        evaluation_fn=openlineage,
        description="Tells an OpenLineage backend of each sync and each build of a layer: when it"
        " starts, how it ends, what it reads and writes.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING
        if is_configured()
        else dg.DefaultSensorStatus.STOPPED,
    )


def begin(
    instance: dg.DagsterInstance,
    client: OpenLineageClient,
    around: Surroundings,
    cursor: OpenLineageCursor,
    deadline: float,
) -> Tick:
    """A tick that goes on from a cursor, until a deadline of the monotonic clock."""
    return Tick(
        instance,
        Sender(client, deadline, cursor.stuck),
        around,
        settled(),
        dict(cursor.after),
        dict(cursor.runs),
        dict(cursor.ends),
        dict(cursor.waiting),
        dict(cursor.counted),
        cursor.since,
    )


def tell(tick: Tick) -> OpenLineageCursor:
    """Tell of runs that work, of those that have ended, and of what is of no run."""
    working = _tell_working(tick)
    if not tick.sender.is_stopped:
        _tell_ended(tick)
    if not tick.sender.is_stopped:
        _tell_outside(tick)
    if tick.sender.stopped is not None:
        tick.since = tick.since or time.time()
        _count(tick)
    else:
        tick.since = None
        if not tick.sender.out_of_time:
            tick.waiting, tick.counted = {}, {}
            _forget(tick, working)
    waiting = {day: count for day, count in tick.waiting.items() if count > 0}
    ends = {run_id: place for run_id, place in tick.ends.items() if run_id in tick.runs}
    return OpenLineageCursor(
        tick.after, tick.runs, ends, tick.since, waiting, tick.counted, tick.sender.stuck
    )


def _tell_working(tick: Tick) -> set[str]:
    """Tell what runs that work have started; returns the runs."""
    records = tick.instance.get_run_records(dg.RunsFilter(statuses=_WORKING), ascending=True)
    for record in records:
        if tick.sender.is_stopped:
            break
        run = record.dagster_run
        announced, done = tick.runs.get(run.run_id, (NOTHING, 0))
        reached, events = begun_events(tick.instance, run, tick.around, announced, tick.newest)
        done += tick.sender.send(events[done:])
        if reached > announced:
            whole = done >= len(events)
            tick.runs[run.run_id] = (reached, 0) if whole else (announced, done)
    return {record.dagster_run.run_id for record in records}


def _tell_ended(tick: Tick) -> None:
    deadline = tick.sender.deadline
    for end in ends_before(tick.newest, tick.instance, dict(tick.after), deadline, tick.oldest):
        if end.at < tick.oldest:
            tick.given_up += 1
            tick.waiting.pop(_day(end.at), None)
        elif not _tell_end(tick, end):
            return
        tick.after[end.event_type] = end.storage_id
        tick.runs.pop(end.run_id, None)
    if time.monotonic() >= deadline:
        tick.sender.out_of_time = True


def _tell_end(tick: Tick, end: RunEnd) -> bool:
    """Tell of a run that has ended; returns whether all of it is told."""
    done, events = tick.left(end)
    sent = tick.sender.send(events[done:])
    if end.storage_id <= tick.counted.get(end.event_type, 0):
        day = _day(end.at)
        tick.waiting[day] = tick.waiting.get(day, 0) - sent
    if done + sent < len(events):
        announced, _ = tick.runs.get(end.run_id, (NOTHING, 0))
        tick.runs[end.run_id] = (announced, done + sent)
        tick.ends[end.run_id] = end.storage_id
        return False
    return True


def _tell_outside(tick: Tick) -> None:
    deadline = tick.sender.deadline
    for place, told in read_outside(
        tick.instance, tick.after.get(OUTSIDE), tick.oldest, tick.newest, deadline
    ):
        if told and told.at < tick.oldest:
            tick.given_up += 1
        elif told:
            events = outside_events(told, tick.around)
            if tick.sender.send(events) < len(events):
                return
        tick.after[OUTSIDE] = place


def _count(tick: Tick) -> None:
    """Count the events that wait, those that no tick has counted before."""
    deadline = time.monotonic() + COUNTING_SECONDS
    for day in [day for day in tick.waiting if day < _day(tick.oldest)]:
        del tick.waiting[day]
    counted = {**tick.after, **tick.counted}

    def add(name: str, place: int, at: float, events: list[Event]) -> None:
        tick.waiting[_day(at)] = tick.waiting.get(_day(at), 0) + len(events)
        tick.counted[name] = place

    for end in ends_before(tick.newest, tick.instance, counted, deadline, tick.oldest):
        done, events = tick.left(end)
        add(end.event_type, end.storage_id, end.at, events[done:] if end.at >= tick.oldest else [])
    for place, told in read_outside(
        tick.instance, counted.get(OUTSIDE), tick.oldest, tick.newest, deadline
    ):
        at = told.at if told else tick.newest
        add(OUTSIDE, place, at, outside_events(told, tick.around) if told else [])


def _forget(tick: Tick, working: set[str]) -> None:
    """Forget runs that are no more: they have been deleted, and their ends will not be read."""
    others = [run_id for run_id in tick.runs if run_id not in working]
    if others:
        found = tick.instance.get_runs(dg.RunsFilter(run_ids=others))
        for run_id in set(others) - {run.run_id for run in found}:
            del tick.runs[run_id]


def summary(tick: Tick) -> str:
    """One line of what a tick did, and of what waits, and why."""
    sender = tick.sender
    parts = [_events(sender.taken, "sent")] if sender.taken else []
    if sender.refused:
        first, *others = sender.refused
        more = f"; and {len(others):,} more like it" if others else ""
        parts.append(f"{_events(len(sender.refused), 'refused')}: {_refusal(first)}{more}")
    if tick.given_up:
        parts.append(_given_up(tick))
    if sender.stopped is not None:
        parts.append(_stopped(tick))
    elif sender.out_of_time:
        parts.append("the next tick goes on")
    return "; ".join(parts) or "nothing new"


def _warnings(tick: Tick) -> list[str]:
    lines = [f"refused: {_refusal(each)}; run {each.event.run_id}" for each in tick.sender.refused]
    if tick.given_up:
        lines.append(_given_up(tick))
    if tick.sender.stopped is not None:
        lines.append(_stopped(tick))
    return lines


def _given_up(tick: Tick) -> str:
    what = "run is" if tick.given_up == 1 else "runs are"
    return f"{tick.given_up:,} {what} given up: ended before {_day(tick.oldest)}"


def _stopped(tick: Tick) -> str:
    since = datetime.fromtimestamp(tick.since or 0.0, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    waiting = sum(tick.waiting.values())
    waits = "1 event waits" if waiting == 1 else f"{waiting:,} events wait"
    return f"the backend has not taken events since {since} UTC: {tick.sender.stopped}; {waits}"


def _refusal(refused: Refused) -> str:
    return f"{refused.event.label}: {refused.why}"


def _events(count: int, what: str) -> str:
    return f"{count:,} {'event' if count == 1 else 'events'} {what}"


def _day(at: float) -> str:
    return utc_day(datetime.fromtimestamp(at, timezone.utc))


def _parse(text: str | None) -> OpenLineageCursor:
    return msgspec.json.decode(text, type=OpenLineageCursor) if text else OpenLineageCursor()
