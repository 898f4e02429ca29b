"""The sensor `airbyte_catalog`: it fetches the catalog of the server where that has changed.

Definitions are made of the catalog as of their load: where it is another now, they are loaded anew,
or a person is asked to. What of the server's notices was refused is shown here as well.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec

from atlas_dagster.airbyte import notices
from atlas_dagster.airbyte.notices import Refused
from atlas_dagster.airbyte.snapshot import IndexReader, SnapshotIndex, problems
from atlas_dagster.assets.location_reload import Reloader
from atlas_dagster.assets.observed_syncs import impatient_api
from atlas_dagster.assets.served import WORKSPACE_KEY
from atlas_dagster.markdown import items
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url

if TYPE_CHECKING:
    from atlas_dagster.airbyte.catalog_watch import CatalogCursor, Checked
    from atlas_dagster.airbyte.server import AirbyteApi

RELOAD_AGAIN_SECONDS = 600.0
MOST_NAMED = 10


@dataclass(frozen=True)
class WorkspaceState:
    """What the workspace's asset shows: all empty where nothing is wrong, and nothing changed."""

    failure: str | None
    changed: Sequence[str]
    problems: Sequence[str]
    notices: Sequence[Refused]
    requests: Sequence[Refused]

    @property
    def digest(self) -> str:
        """Empty where there is nothing to show."""
        if not (self.failure or self.changed or self.problems or self.notices or self.requests):
            return ""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


def build_catalog_sensor(settings: Settings, loaded: SnapshotIndex | None) -> dg.SensorDefinition:
    """The sensor; ``loaded`` is what these definitions are made of."""
    assert settings.airbyte
    reader = IndexReader(settings)
    ask = impatient_api(settings.airbyte)
    reloader = Reloader(settings.webserver_url)

    def airbyte_catalog(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from atlas_dagster.airbyte.catalog_watch import CatalogCursor, changes

        known = context.cursor
        cursor = msgspec.json.decode(known, type=CatalogCursor) if known else CatalogCursor()
        now = time.time()
        events: list[dg.AssetObservation] = []
        with connect(resolve_url(settings), application="atlas airbyte_catalog") as warehouse:
            migrate(warehouse)
            checked = _check(settings, ask, reader, warehouse, cursor, now)
            index = reader.read()
            changed = changes(loaded, index)
            if checked:
                state = _state(warehouse, checked.failure, changed, index)
                if state.digest != cursor.shown:
                    events.append(_observation(state, index))
                cursor = msgspec.structs.replace(cursor, watch=checked.watch, shown=state.digest)
        said = [_named(changed)] if changed else []
        said += [text for text in (reloader.failure, cursor.watch.failure) if text]
        is_pending = now - cursor.reload_asked_at < RELOAD_AGAIN_SECONDS and not reloader.failure
        if changed and not is_pending:
            said.append(_reload(context, reloader))
            cursor = msgspec.structs.replace(cursor, reload_asked_at=now)
        return dg.SensorResult(
            asset_events=events,
            cursor=msgspec.json.encode(cursor).decode(),
            skip_reason="; ".join(said) or "nothing new",
        )

    return dg.SensorDefinition(
        name="airbyte_catalog",
        evaluation_fn=airbyte_catalog,
        description="Fetches the catalog of the Airbyte server where it has changed, and has the"
        " code location loaded anew then.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _check(
    settings: Settings,
    ask: Callable[[], AirbyteApi],
    reader: IndexReader,
    warehouse: PgConnection,
    cursor: CatalogCursor,
    now: float,
) -> Checked | None:
    """Look where it is time to, or where a notice says so."""
    from atlas_dagster.airbyte.catalog_watch import check_catalog
    from atlas_dagster.airbyte.observe import IMPATIENT

    assert settings.airbyte
    heard = notices.unsettled(warehouse, ("schema", "connection"))
    if not heard and now - cursor.watch.checked_at < settings.airbyte.refresh_seconds:
        return None
    index = reader.read()
    whole = bool(heard) or index is None or index.failure is not None
    checked = check_catalog(settings, ask(), cursor.watch, now, IMPATIENT, whole=whole)
    if not checked.failure:
        notices.settle(warehouse, heard)
    if checked.fetched:
        notices.forget(warehouse)
    return checked


def _reload(context: dg.SensorEvaluationContext, reloader: Reloader) -> str:
    origin = context.code_location_origin
    if not reloader.can_ask or origin is None:
        return "reload the code location (ATLAS_DAGSTER_WEBSERVER_URL is not set)"
    reloader.ask(origin.location_name)
    return "the code location is being reloaded"


def _state(
    warehouse: PgConnection,
    failure: str | None,
    changed: Sequence[str],
    index: SnapshotIndex | None,
) -> WorkspaceState:
    return WorkspaceState(
        failure=failure,
        changed=changed,
        problems=problems(index) if index else [],
        notices=notices.refused_notices(warehouse),
        requests=notices.refused_requests(warehouse),
    )


def _observation(state: WorkspaceState, index: SnapshotIndex | None) -> dg.AssetObservation:
    """What the state is now: an observation, for nothing was made."""
    said = [
        f"Stale: {state.failure}." if state.failure else "",
        f"Changed: {_named(state.changed)}. Reload the code location, unless it reloads by itself."
        if state.changed
        else "",
        f"{_total(state.notices)} notices led to nothing." if state.notices else "",
        f"{_total(state.requests)} webhook requests were refused; the last: "
        f"{state.requests[0].reason}."
        if state.requests
        else "",
    ]
    metadata: dict[str, Any] = {
        "atlas/connections": len(index.connections) if index else 0,
        "atlas/notices_refused": _total(state.notices),
        "atlas/webhook_requests_refused": _total(state.requests),
    }
    if index:
        metadata["atlas/catalog_fetched_at"] = dg.MetadataValue.timestamp(index.fetched_at)
    if state.failure:
        metadata["atlas/catalog_stale"] = state.failure
    for name, lines in (
        ("changed", state.changed),
        ("problems", state.problems),
        ("refused_notices", [_line(refused) for refused in state.notices]),
        ("refused_webhook_requests", [_line(refused) for refused in state.requests]),
    ):
        if lines:
            metadata[f"atlas/{name}"] = dg.MetadataValue.md(items(lines))
    text = " ".join(filter(None, said)) or "The catalog is as the definitions have it."
    return dg.AssetObservation(WORKSPACE_KEY, description=text, metadata=metadata)


def _named(changed: Sequence[str]) -> str:
    more = len(changed) - MOST_NAMED
    return ", ".join([*changed[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _total(refused: Sequence[Refused]) -> int:
    return sum(one.times for one in refused)


def _line(refused: Refused) -> str:
    return f"{refused.reason}: {refused.times}, last at {refused.last_at:%Y-%m-%d %H:%M:%S} UTC"
