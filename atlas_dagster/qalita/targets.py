"""From a subject to ids that the platform has: nothing is made of ids that do not resolve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import Pack, Source, Target, newest

if TYPE_CHECKING:
    from atlas_dagster.qalita.client import QalitaApi


@dataclass(frozen=True)
class Destination:
    """Where a subject is published to.

    ``platform`` is its URL, ``source_name`` what it calls the source.
    """

    platform: str
    target: Target
    source_name: str

    def is_same_pair(self, other: Destination) -> bool:
        """Whether what was sent to one is looked up at the other."""
        mine, others = self.target, other.target
        return (self.platform, mine.source_id, mine.pack_id) == (
            other.platform,
            others.source_id,
            others.pack_id,
        )


Provision = Callable[[Subject], int]


class Targets:
    """Resolves routes, and asks the platform for each source and pack once in its life.

    ``provision`` publishes sources that no mapping names; None: nothing is published.
    """

    def __init__(
        self, api: QalitaApi, mapping: QalitaMapping, provision: Provision | None = None
    ) -> None:
        self._api = api
        self._mapping = mapping
        self._provision = provision
        self._sources: dict[int, Source | None] = {}
        self._packs: dict[int, Pack | None] = {}

    def route(self, subject: Subject) -> Route:
        """What the file says of a subject; raises ConfigError where that is not enough."""
        route = self._mapping.route(subject)
        if route is None:
            raise ConfigError(
                f"{self._mapping.file}: {subject.label} ({subject.connection_id}) has no entry in"
                " connection_map, and there is no default"
            )
        if route.source_id is None and self._provision is None:
            raise ConfigError(
                f"{route.where}: {subject.label} has no source_id, and ATLAS_QALITA_PROVISION is"
                " not on"
            )
        return route

    def destination(self, subject: Subject) -> Destination:
        """Where a subject is published to, by ids that the platform has.

        Raises ConfigError naming the file and key of an id that it does not have, QalitaError
        where it does not say.
        """
        route = self.route(subject)
        source_id = route.source_id
        if source_id is None:
            assert self._provision  # or the route were refused
            source_id = self._provision(subject)
        source = self._source(source_id)
        if source is None:
            raise _unknown(route, "source_id", f"no source {source_id}, or does not show it to us")
        pack = self._pack(route.pack_id)
        if pack is None:
            raise _unknown(route, "pack_id", f"no pack {route.pack_id}, or does not show it to us")
        target = Target(
            source_id, pack.id, _pack_version(route, pack), _source_version(route, source)
        )
        return Destination(self._api.http.server.base_url, target, source.name)

    def _source(self, source_id: int) -> Source | None:
        if source_id not in self._sources:
            self._sources[source_id] = self._api.source(source_id)
        return self._sources[source_id]

    def _pack(self, pack_id: int) -> Pack | None:
        if pack_id not in self._packs:
            self._packs[pack_id] = self._api.pack(pack_id)
        return self._packs[pack_id]


def _pack_version(route: Route, pack: Pack) -> int:
    """The version that the file names, or the newest."""
    if route.pack_version_id is None:
        version = newest(pack.versions)
        if version is None:
            raise _unknown(route, "pack_id", f"no version of pack {pack.id} ({pack.name})")
        return version.id
    if all(version.id != route.pack_version_id for version in pack.versions):
        known = ", ".join(f"{v.id} ({v.number})" for v in pack.versions) or "none"
        raise _unknown(
            route,
            "pack_version_id",
            f"no version {route.pack_version_id} of pack {pack.id} ({pack.name}); it has {known}",
        )
    return route.pack_version_id


def _source_version(route: Route, source: Source) -> int | None:
    """The version that the file names, or the newest where the platform has such."""
    if source.versions is None:
        return route.source_version_id
    if route.source_version_id is None:
        version = newest(source.versions)
        return version.id if version else None
    if source.versions and all(v.id != route.source_version_id for v in source.versions):
        raise _unknown(
            route,
            "source_version_id",
            f"no version {route.source_version_id} of source {source.id} ({source.name})",
        )
    return route.source_version_id


def _unknown(route: Route, key: str, what: str) -> ConfigError:
    return ConfigError(f"{route.where}.{key}: QALITA has {what}")
