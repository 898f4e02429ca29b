"""The modes of an embedded stream: those that are written, else what its source can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.config import EmbeddedStream
from atlas_dagster.errors import ConfigError

Discovered = Mapping[str, Any]
"""A stream of `AirbyteCatalog`, as a source declares it."""

_WITHOUT_KEY = {
    DestinationMode.APPEND_DEDUP: DestinationMode.APPEND,
    DestinationMode.OVERWRITE_DEDUP: DestinationMode.OVERWRITE,
}


def chosen_modes(
    stream: EmbeddedStream, discovered: Discovered | None
) -> tuple[SyncMode, DestinationMode]:
    """The modes that a stream is synced in.

    Those that are not written: incremental where the source can and there is a cursor, else a full
    refresh; deduplicated where there is a key. A source that was not asked yet (None) is taken for
    one that has all of them.
    """
    sync_mode = stream.sync_mode
    if sync_mode is None:
        can = discovered is None or _knows_changes(stream, discovered)
        sync_mode = SyncMode.INCREMENTAL if can else SyncMode.FULL_REFRESH
    if stream.destination_mode is not None:
        return sync_mode, stream.destination_mode
    if sync_mode is SyncMode.FULL_REFRESH:
        return sync_mode, DestinationMode.OVERWRITE
    has_key = discovered is None or bool(_key(stream, discovered))
    return sync_mode, DestinationMode.APPEND_DEDUP if has_key else DestinationMode.APPEND


def require_modes(stream: EmbeddedStream, discovered: Discovered) -> None:
    """Raise ConfigError, with place and remedy, where written modes cannot be."""
    if stream.sync_mode and stream.sync_mode.value not in supported_modes(discovered):
        raise ConfigError(
            f"{stream.where}: the source has no {stream.sync_mode.value} sync of it:"
            " leave sync_mode and destination_sync_mode out"
        )
    instead = _WITHOUT_KEY.get(stream.destination_mode) if stream.destination_mode else None
    if stream.destination_mode and instead and not _key(stream, discovered):
        raise ConfigError(
            f"{stream.where}: {stream.destination_mode.value} needs a key: add primary_key,"
            f" or destination_sync_mode: {instead.value}"
        )


def supported_modes(discovered: Discovered) -> Sequence[str]:
    """The sync modes that a source declares for a stream; every source has full refreshes."""
    declared = cast("Sequence[str]", discovered.get("supported_sync_modes") or ())
    return declared or (SyncMode.FULL_REFRESH.value,)


def _knows_changes(stream: EmbeddedStream, discovered: Discovered) -> bool:
    """Whether a source can tell what changed without being told more than is written."""
    can = SyncMode.INCREMENTAL.value in supported_modes(discovered)
    has_cursor = (
        stream.cursor
        or discovered.get("source_defined_cursor")
        or discovered.get("default_cursor_field")
    )
    return can and bool(has_cursor)


def _key(stream: EmbeddedStream, discovered: Discovered) -> Sequence[Sequence[str]]:
    return stream.primary_key or discovered.get("source_defined_primary_key") or ()
