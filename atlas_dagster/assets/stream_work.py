"""What a run did to streams, read from its events: their syncs and their layer runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import dagster as dg

from atlas_dagster.assets.asset_work import (
    SYNCED,
    AssetWork,
    Evaluation,
    Logged,
    Metadata,
    Part,
    Place,
    place_of,
    read_asset_works,
)
from atlas_dagster.assets.layer_assets import AFTER_SYNC


class RunStatus(str, Enum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class StreamWork:
    """A sync or a layer run of a stream; ``stream`` is None of a connection as a whole.

    ``built`` holds metadata by layer, of all partitions together, ``failure`` what the step said
    that failed, ``told`` what is known of work that left nothing. Times are in seconds since 1970,
    ``started_at`` is None where no step started.
    """

    connection: str
    stream: str | None
    part: Part
    planned: frozenset[str]
    built: Mapping[str, Metadata]
    checks: tuple[Evaluation, ...]
    started_at: float | None
    ended_at: float | None
    failed: bool
    failure: str
    told: Metadata = field(default_factory=dict[str, "dg.MetadataValue[Any]"])

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is there."""
        return (
            not self.failed and bool(self.built or self.checks) and self.planned <= set(self.built)
        )


def read_stream_works(events: Iterable[Logged]) -> list[StreamWork]:
    """The work of a run, by its events; in the order in which it was planned."""
    works: dict[Place, list[AssetWork]] = {}
    for work in read_asset_works(events):
        works.setdefault(work.place, []).append(work)
    return [_of_stream(place, assets) for place, assets in works.items()]


def read_materialization(key: dg.AssetKey, metadata: Metadata, at: float) -> StreamWork | None:
    """The work that a materialization outside of a run tells of; None: it is none of ours.

    It is told at ``at``, which is when it ended where the metadata do not say when.
    """
    known = place_of(key)
    if known is None:
        return None
    layer, place = known
    started_at, ended_at = _times_of(metadata, at)
    return StreamWork(
        *place,
        planned=frozenset({layer}),
        built={layer: metadata},
        checks=(),
        started_at=started_at,
        ended_at=ended_at,
        failed=False,
        failure="",
    )


def read_observation(
    key: dg.AssetKey, metadata: Metadata, at: float
) -> tuple[StreamWork, RunStatus] | None:
    """The work of an Airbyte job that did not succeed, and how it ended; None: it is none."""
    known, status = place_of(key), metadata.get("atlas/status")
    ended = _FAILURES.get(str(status.value)) if isinstance(status, dg.TextMetadataValue) else None
    if known is None or ended is None:
        return None
    layer, place = known
    said = metadata.get("atlas/failure")
    failure = str(said.value) if isinstance(said, dg.TextMetadataValue) else ""
    started_at, ended_at = _times_of(metadata, at)
    work = StreamWork(
        *place,
        planned=frozenset({layer}),
        built={},
        checks=(),
        started_at=started_at,
        ended_at=ended_at,
        failed=ended is RunStatus.FAILED,
        failure=failure,
        told=metadata,
    )
    return work, ended


def _times_of(metadata: Metadata, at: float) -> tuple[float, float]:
    """When a job of Airbyte's started and ended, which may be long before Dagster is told of it."""
    end, seconds = metadata.get("atlas/ended_at"), metadata.get("atlas/duration_seconds")
    ended_at = end.value if isinstance(end, dg.TimestampMetadataValue) else at
    known = isinstance(seconds, (dg.FloatMetadataValue, dg.IntMetadataValue))
    return ended_at - (float(seconds.value or 0) if known else 0.0), ended_at


_FAILURES = {
    "failed": RunStatus.FAILED,
    "incomplete": RunStatus.FAILED,
    "cancelled": RunStatus.CANCELLED,
}


def _of_stream(place: Place, assets: Sequence[AssetWork]) -> StreamWork:
    assets = sorted(assets, key=lambda work: _ORDER.index(work.layer))
    steps = {step.key: step for work in assets for step in work.steps}.values()
    failed = [step for step in steps if step.failed]
    checks = sorted((check for work in assets for check in work.checks), key=lambda c: c.at)
    return StreamWork(
        *place,
        planned=frozenset(work.layer for work in assets if work.is_planned),
        built={work.layer: work.metadata for work in assets if work.metadata is not None},
        checks=tuple(checks),
        started_at=min(_times(step.started_at for step in steps), default=None),
        ended_at=max(_times(step.ended_at for step in steps), default=None),
        failed=bool(failed),
        failure=failed[0].failure if failed else "",
    )


_ORDER = (SYNCED, *AFTER_SYNC)


def _times(times: Iterable[float | None]) -> Iterator[float]:
    return (time for time in times if time is not None)
