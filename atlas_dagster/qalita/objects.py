"""What QALITA's platform has: sources, packs, jobs, and how it writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TypeGuard

from atlas_dagster.qalita.content import Json


class JobStatus(str, Enum):
    """How a job stands; ``pending`` is not among them, since a worker of QALITA would run it."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    KILLED = "killed"


class Visibility(str, Enum):
    """Who sees a source; ``public`` is not among them: partners would."""

    PRIVATE = "private"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Target:
    """Where something is published to. Only older platforms have versions of a source."""

    source_id: int
    pack_id: int
    pack_version_id: int
    source_version_id: int | None = None

    def ids(self) -> dict[str, int]:
        """The ids as QALITA's own client names them, in its order."""
        named = {
            "source_id": self.source_id,
            "source_version_id": self.source_version_id,
            "pack_id": self.pack_id,
            "pack_version_id": self.pack_version_id,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class Version:
    """A version of a source or a pack."""

    id: int
    number: str


@dataclass(frozen=True)
class Source:
    """A source; ``versions`` is None on platforms that have none."""

    id: int
    name: str
    type: str
    versions: tuple[Version, ...] | None = None


@dataclass(frozen=True)
class Pack:
    """A pack and its versions."""

    id: int
    name: str
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Job:
    """A job; ``created_at`` is by the platform's clock, None where it does not say."""

    id: int
    name: str
    status: str | None
    created_at: datetime | None


def newest(versions: Sequence[Version]) -> Version | None:
    """The version of the greatest number."""
    return max(versions, key=lambda version: (_numbers(version.number), version.id), default=None)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)]


def as_date(moment: datetime) -> str:
    """An instant as QALITA's own client writes it: UTC to the second, and no offset."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def as_time(text: object) -> datetime | None:
    """An instant as the platform writes it, by its own clock: without an offset it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]\Z", "+00:00", text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def parse_source(row: Json) -> Source:
    """A source as the platform answers it.

    Raises AttributeError, KeyError, TypeError or ValueError where it is none.
    """
    versions = row.get("versions")
    return Source(
        _checked_id(row),
        str(row["name"]),
        str(row.get("type") or ""),
        None if versions is None else _versions(versions),
    )


def parse_pack(row: Json) -> Pack:
    """A pack, as `parse_source`."""
    return Pack(_checked_id(row), str(row["name"]), _versions(row.get("versions") or ()))


def _versions(rows: Sequence[Json]) -> tuple[Version, ...]:
    return tuple(Version(_checked_id(row), str(row.get("sem_ver_id") or "")) for row in rows)


def _checked_id(row: Json) -> int:
    found = row["id"]
    if not is_id(found):
        raise ValueError
    return found


def is_id(value: object) -> TypeGuard[int]:
    """Whether a value is an id as the platform has them."""
    return isinstance(value, int) and not isinstance(value, bool)
