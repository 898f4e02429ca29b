"""What a materialization tells: Dagster's standard metadata, and ours under ``atlas/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from atlas_dagster.catalog import Table
from atlas_dagster.warehouse import PgConnection

TOUCHED_DAYS = "atlas/touched_days"


def tell_once(context: dg.AssetExecutionContext, metadata: Mapping[str, Any]) -> None:
    """Add what is long to the last materialization of the run, which is the one shown.

    A backfill of a year in one run would store it 365 times otherwise.
    """
    context.add_asset_metadata(metadata, partition_key=context.partition_key_range.end)


def told_first(context: dg.AssetExecutionContext, page: dict[str, Any]) -> dict[str, Any]:
    """A page for the head of a materialization's metadata; of many days it is told once, below."""
    keys = context.partition_key_range
    if keys.start == keys.end:
        return page
    tell_once(context, page)
    return {}


def table_name(connection: PgConnection, table: Table) -> dict[str, Any]:
    """The table that was written."""
    return {"dagster/table_name": f"{connection.info.dbname}.{table}"}


def touched_days(days: Iterable[date]) -> dict[str, Any]:
    """The UTC days whose record versions a sync or a load has added to."""
    return {TOUCHED_DAYS: dg.MetadataValue.json(sorted(day.isoformat() for day in days))}


def natural_key(key: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What identifies a record: its key, or all of it."""
    spelled = ", ".join(".".join(path) for path in key)
    return {"atlas/natural_key": spelled or "the whole record: the stream has no primary key"}


def rebuilt(reason: str | None) -> dict[str, Any]:
    """Why a table was built anew from all of its history, where it was."""
    return {"atlas/rebuilt": reason} if reason else {}
