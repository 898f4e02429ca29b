"""The gate between chart and navigate: what it holds back, and how a person overrides it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg

from atlas_dagster.assets.partitions import FIRST_DAY, days_between, named_days, today
from atlas_dagster.catalog import Stream
from atlas_dagster.errors import HeldBackError
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.navigate import takes_all_of_chart
from atlas_dagster.quality.gate import HeldDay, await_scans, has_rows, held_days
from atlas_dagster.warehouse import PgConnection

GATE = "quality_gate"
"""The name of the asset check."""

OVERRIDE_TAG = "atlas/override_gate"
"""The tag of a run that builds navigate from rows that failed; its value says why."""

TO_OPEN = (
    "Correct the data or the limits (docs/checks.md) and run chart's checks again, or give the run"
    f" the tag {OVERRIDE_TAG} with the reason"
)

SHOWN_DAYS = 3


def override_reason(run: dg.DagsterRun) -> str | None:
    """Why a person lets a run pass the gate; None where nobody does."""
    return run.tags.get(OVERRIDE_TAG)


def pass_gate(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
) -> dict[str, Any]:
    """Let a run build navigate, if the newest checks of its days do not hold them back.

    Returns metadata that says whether a person overrode the gate. Raises HeldBackError. A run
    whose own gate fails does not come here; this is for one that builds navigate alone, and for a
    first build, which takes all days.
    """
    keys = context.partition_key_range
    if takes_all_of_chart(connection, stream, rules):
        held = [
            one
            for one in _held(connection, stream, FIRST_DAY, today())
            if has_rows(connection, stream.chart, _rows_of(one.day))
        ]
    else:
        held = _held(connection, stream, keys.start, keys.end)
    if not held:
        return {}
    reason = override_reason(context.run)
    if reason is None:
        raise HeldBackError(f"{stream.label}: {GATE} holds back {_told(held)}. {TO_OPEN}")
    context.log.warning(f"{stream.label}: {GATE} is overridden for {_told(held)}: {reason}")
    return {"atlas/gate_overridden": reason}


def _held(connection: PgConnection, stream: Stream, first: str, last: str) -> Sequence[HeldDay]:
    """The days that are held back; where another run's checks are at work, after their end."""
    days = named_days(first, last)
    held = held_days(connection, stream.table_name, days)
    if all(one.checks for one in held):
        return held
    await_scans(connection, stream.table_name)
    return held_days(connection, stream.table_name, days)


def _rows_of(day: date) -> tuple[date, date]:
    return days_between(day.isoformat(), day.isoformat())


def _told(held: Sequence[HeldDay]) -> str:
    """The newest days, and the checks that failed on them."""
    newest = [
        f"{one.day} ({', '.join(one.checks[:5]) or 'not checked to the end'})"
        for one in reversed(held[-SHOWN_DAYS:])
    ]
    left = len(held) - len(newest)
    return ", ".join(newest) + (f" and {left} more days" if left else "")
