"""Whether deliveries would arrive: the platform, the sign-in, and what each stream is mapped to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from atlas_dagster.errors import AtlasError
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import Source
from atlas_dagster.qalita.provision import SOURCE_TYPE
from atlas_dagster.qalita.targets import Targets


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    text: str


def examine(
    api: QalitaApi, mapping: QalitaMapping, subjects: Sequence[Subject]
) -> Iterator[Finding]:
    """Look at version, sign-in, source, pack and mapping; nothing is published.

    What cannot be asked because something before is wrong is not looked at.
    """
    what = "version"
    try:
        yield _well(what, f"QALITA {api.version()} at {api.http.server.base_url}")
        what = "sign-in"
        yield _well(what, _sign_in(api))
    except AtlasError as error:
        yield _wrong(what, str(error))
        return
    yield from _targets(api, mapping, subjects)
    yield from _mapping(mapping, subjects)


def _sign_in(api: QalitaApi) -> str:
    sources, packs = len(api.sources()), len(api.packs())
    return f"{api.http.server.credentials}: {sources:,} sources and {packs:,} packs are visible"


def _targets(
    api: QalitaApi, mapping: QalitaMapping, subjects: Sequence[Subject]
) -> Iterator[Finding]:
    """A source and a pack for each route that is in use."""
    routes: dict[Route, Subject] = {}
    for subject in subjects:
        route = mapping.route(subject)
        if route is not None:
            routes.setdefault(route, subject)
    for route, subject in routes.items():
        if route.source_id is None:
            yield from _provisioned(api, mapping, subjects, route)
            continue
        try:
            found = Targets(api, QalitaMapping(mapping.file, default=route)).destination(subject)
        except AtlasError as error:
            yield _wrong("pack" if ".pack" in str(error) else "source", str(error))
            continue
        target = found.target
        version = target.source_version_id
        tail = f", its version {version}" if version else ""
        yield _well("source", f"{route.where}: {target.source_id} ({found.source_name}){tail}")
        yield _well("pack", f"{route.where}: {target.pack_id}, version {target.pack_version_id}")


def _provisioned(
    api: QalitaApi, mapping: QalitaMapping, subjects: Sequence[Subject], route: Route
) -> Iterator[Finding]:
    """The sources that are looked up by the connection's name, or published by a delivery."""
    if not api.http.server.provisions:
        text = f"{route.where}: no source_id, and ATLAS_QALITA_PROVISION is not on"
        yield _wrong("source", text)
        return
    for name in sorted({s.connection for s in subjects if mapping.route(s) == route}):
        found: Source | None = api.find_source(name, SOURCE_TYPE)
        what = f"is {found.id}" if found else "is not there yet: the first delivery publishes it"
        yield _well("source", f"{name} ({SOURCE_TYPE}) {what}")
    pack = api.pack(route.pack_id)
    if pack is None or not pack.versions:
        text = f"{route.where}.pack_id: QALITA has no pack {route.pack_id}, or no version of it"
        yield _wrong("pack", text)
    else:
        yield _well("pack", f"{route.where}: {pack.id} ({pack.name})")


def _mapping(mapping: QalitaMapping, subjects: Sequence[Subject]) -> Iterator[Finding]:
    """Streams that go nowhere, and entries that nothing goes by."""
    lost = [subject.label for subject in subjects if mapping.route(subject) is None]
    if lost:
        shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5:,} more" if len(lost) > 5 else "")
        yield _wrong("mapping", f"{mapping.file}: nothing says where to publish {shown}")
    else:
        yield _well("mapping", f"{mapping.file}: covers all {len(subjects):,} streams")
    for key in mapping.unused(subjects):
        yield _wrong("mapping", f"{mapping.file}: connection_map.{key} is no connection or stream")


def _well(what: str, text: str) -> Finding:
    return Finding(what, is_well=True, text=text)


def _wrong(what: str, text: str) -> Finding:
    return Finding(what, is_well=False, text=text)
