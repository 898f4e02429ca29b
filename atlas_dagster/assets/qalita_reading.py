"""The event log as the sensor `qalita` reads it: finished runs, and events of no run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg

from atlas_dagster.assets.asset_work import EVENT_TYPES, run_events
from atlas_dagster.assets.ended_works import ENDINGS, OUTSIDE, read_outside
from atlas_dagster.assets.qalita_deliveries import Work, told_works
from atlas_dagster.assets.run_ends import RunEnd, ends_before
from atlas_dagster.assets.stream_work import read_stream_works


def read_works(
    instance: dg.DagsterInstance,
    after: Mapping[str, int],
    since: float,
    newest: float,
    deadline: float,
) -> Iterator[tuple[str, int, list[Work]]]:
    """What is new in the log: the cursor's name, its new value, and the works up to there.

    Where the cursor has no value yet, what is older than ``since`` is left out.
    """
    for end in ends_before(newest, instance, after, deadline, since):
        yield end.event_type, end.storage_id, run_works(instance, end)
    for place, told in read_outside(instance, after.get(OUTSIDE), since, newest, deadline):
        works = [Work(told.work, told.status, told.at, "", told.origin)] if told else []
        yield OUTSIDE, place, works


def run_works(instance: dg.DagsterInstance, end: RunEnd) -> list[Work]:
    """What a run that has ended did to streams."""
    status, failure = ENDINGS[end.event_type]
    works = read_stream_works(run_events(instance, end.run_id, EVENT_TYPES))
    return [
        Work(work, status, end.at, end.run_id, end.run_id, failure) for work in told_works(works)
    ]
