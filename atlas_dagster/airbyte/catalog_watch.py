"""Whether the catalog of the server has changed: a cheap look often, all of it where it must be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from atlas_dagster.airbyte.http import Json, Retries
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.snapshot import SnapshotIndex
from atlas_dagster.errors import AtlasError
from atlas_dagster.settings import Settings

WHOLE_SECONDS = 3600.0
"""After which all is fetched: the list of connections has no schemas."""


class Watch(msgspec.Struct, frozen=True):
    """When the server was asked last, in seconds since 1970, and what it listed then.

    ``failure`` says why the last look has shown nothing; empty: it did.
    """

    checked_at: float = 0.0
    fetched_at: float = 0.0
    listed: str = ""
    failure: str = ""


class CatalogCursor(msgspec.Struct, frozen=True):
    """Where the watch has come to, when a reload was asked for, and what was shown last."""

    watch: Watch = Watch()
    reload_asked_at: float = 0.0
    shown: str = ""


@dataclass(frozen=True)
class Checked:
    """What a look has shown; ``failure`` says why it has shown nothing."""

    watch: Watch
    failure: str | None = None
    fetched: bool = False


def check_catalog(
    settings: Settings,
    api: AirbyteApi,
    watch: Watch,
    now: float,
    retries: Retries,
    *,
    whole: bool,
) -> Checked:
    """Fetch the catalog where the list of connections has changed; with ``whole`` in any case."""
    listed = ""
    try:
        listed = _digest(api.connections())
        late = now - watch.fetched_at >= WHOLE_SECONDS
        if not (whole or late or listed != watch.listed):
            return Checked(Watch(now, watch.fetched_at, watch.listed))
        failure = refresh(settings, retries).failure
    except AtlasError as error:
        failure = str(error)
    if failure:
        return Checked(Watch(now, watch.fetched_at, "", failure), failure)
    return Checked(Watch(now, now, listed), fetched=True)


def changes(loaded: SnapshotIndex | None, current: SnapshotIndex | None) -> list[str]:
    """What of the connections is not as it was loaded, a sentence each."""
    before, after = _made(loaded), _made(current)
    names = {**_names(loaded), **_names(current)}
    differing = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    said = [
        *((names[id_], "is new") for id_ in after.keys() - before.keys()),
        *((names[id_], "is gone") for id_ in before.keys() - after.keys()),
        *((names[id_], "has changed") for id_ in differing),
    ]
    return [f"{name} {what}" for name, what in sorted(said)]


def _made(index: SnapshotIndex | None) -> dict[str, tuple[str, str]]:
    """What definitions are made of; a connection that never could be read is in none."""
    connections = index.connections if index else ()
    return {stored.id: (stored.slug, stored.digest) for stored in connections if stored.digest}


def _names(index: SnapshotIndex | None) -> dict[str, str]:
    return {stored.id: stored.slug for stored in (index.connections if index else ())}


def _digest(listed: Sequence[Json]) -> str:
    ordered = sorted(listed, key=lambda item: str(item.get("connectionId")))
    return hashlib.sha256(msgspec.json.encode(ordered, order="sorted")).hexdigest()[:16]
