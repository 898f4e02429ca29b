"""Connections and streams as Airbyte tells of them, and the checks that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from atlas_dagster.catalog import Connection, DestinationMode, Stream, SyncMode
from atlas_dagster.catalog_answers import parse_columns
from atlas_dagster.quality.derive import derive_checks
from atlas_dagster.quality.spec import Check
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster.rules import AtlasRules, ConnectionRules, StreamRules
from atlas_dagster_tests.layers.support import make_stream

Properties = Mapping[str, Any]

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
MAYBE = {"type": ["null", "string"]}
INSTANT = {"type": ["null", "string"], "format": "date-time"}
DAY = {"type": ["null", "string"], "format": "date"}


def stream(
    properties: Properties,
    *,
    name: str = "users",
    key: Sequence[Sequence[str]] = (("id",),),
    required: Sequence[str] = (),
    cursor: Sequence[str] = (),
    sync_mode: SyncMode = SyncMode.INCREMENTAL,
    destination_mode: DestinationMode = DestinationMode.APPEND_DEDUP,
    namespace: str | None = None,
) -> Stream:
    """A stream whose JSON schema has these properties."""
    slug = name if namespace is None else f"{namespace}_{name}"
    schema = {"properties": dict(properties), "required": list(required)}
    return replace(
        make_stream(properties, key=key, name=name, slug=slug),
        columns=parse_columns(schema, None),
        cursor=tuple(cursor),
        sync_mode=sync_mode,
        destination_mode=destination_mode,
        namespace=namespace,
    )


def connection(*streams: Stream, **overrides: Any) -> Connection:
    """An active connection that nobody schedules."""
    plain = Connection(
        id="00000000-0000-0000-0000-000000000001",
        name="crm",
        slug="crm",
        status="active",
        prefix="",
        namespace_definition="destination",
        namespace_format="",
        schedule_type="manual",
        cron=None,
        destination_type="postgres",
        streams=streams,
    )
    return replace(plain, **overrides)


def rules(cron: str | None = None, **streams: StreamRules) -> AtlasRules:
    return AtlasRules({"crm": ConnectionRules(cron=cron, streams=streams)})


def derived(
    first: Stream, *siblings: Stream, cron: str | None = None, **connection_keys: Any
) -> dict[str, Check]:
    """The checks of a stream, by name."""
    told = connection(first, *siblings, **connection_keys)
    around = load_surroundings(told, rules(cron))[first.slug]
    checks = derive_checks(first, around)
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}
