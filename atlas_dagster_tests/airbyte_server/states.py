"""What `state/create_or_update_safe` does, as airbyte-platform's StatePersistence does it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Key = tuple[str | None, str | None]  # name, namespace; (None, None) is the shared part


def changed(stored: Json, new: Json) -> Json | None:
    """The state after a change; None where its type is refused: only LEGACY gives way to others.

    Pieces that are null are deleted, and those that are not named stay.
    """
    before, after = stored["stateType"], new["stateType"]
    if before not in ("not_set", "legacy", after):
        return None
    pieces = _pieces(stored) if before == after else {}
    pieces |= _pieces(new)
    return _state(after, {key: piece for key, piece in pieces.items() if piece is not None})


def _pieces(state: Json) -> dict[Key, Any]:
    if state["stateType"] == "stream":
        return _streams(state["streamState"])
    if state["stateType"] == "global":
        found = state["globalState"]
        return {(None, None): found.get("shared_state"), **_streams(found["streamStates"])}
    return {(None, None): state.get("state")}


def _streams(pieces: list[Json]) -> dict[Key, Any]:
    return {
        (p["streamDescriptor"]["name"], p["streamDescriptor"].get("namespace")): p["streamState"]
        for p in pieces
    }


def _state(kind: str, pieces: dict[Key, Any]) -> Json:
    streams = [
        {"streamDescriptor": {"name": name, "namespace": namespace}, "streamState": piece}
        for (name, namespace), piece in pieces.items()
        if name is not None
    ]
    shared = pieces.get((None, None))
    if not pieces:
        return {"stateType": "not_set"}
    if kind == "stream":
        return {"stateType": kind, "streamState": streams}
    if kind == "global":
        return {
            "stateType": kind,
            "globalState": {"shared_state": shared, "streamStates": streams},
        }
    return {"stateType": kind, "state": shared}
