"""What is told of a run: the nouns of lineage, free of Dagster and of any client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class State(str, Enum):
    """A transition of a run; the values are OpenLineage's."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


class Relation(str, Enum):
    """How a column comes from another: its value does, or is decided by it."""

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    CONDITIONAL = "CONDITIONAL"

    @property
    def is_direct(self) -> bool:
        return self is not Relation.CONDITIONAL


@dataclass(frozen=True)
class DatasetName:
    """A dataset as OpenLineage names it: where it lies, and what it is called there."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Field:
    """A column of a dataset; ``tags`` say which personal data it holds, and what is done to it."""

    name: str
    type: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Origin:
    """A column upstream; ``masks``: what it holds does not come through."""

    dataset: DatasetName
    field: str
    relation: Relation
    masks: bool = False


@dataclass(frozen=True)
class Assertion:
    """How a check of a dataset went; ``column`` where it is about one."""

    name: str
    kind: str
    passed: bool
    is_error: bool
    column: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Nulls:
    """How many values of a column are missing, of the rows that were looked at."""

    rows: int
    missing: int


@dataclass(frozen=True)
class Dataset:
    """A dataset as a run read or wrote it; what is not known is empty or None.

    ``rows`` are those that it has, ``written`` those that the run wrote, ``size`` in bytes.
    """

    name: DatasetName
    description: str = ""
    owners: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    lineage: Mapping[str, tuple[Origin, ...]] = field(
        default_factory=dict[str, "tuple[Origin, ...]"]
    )
    rows: int | None = None
    written: int | None = None
    size: int | None = None
    assertions: tuple[Assertion, ...] = ()
    nulls: Mapping[str, Nulls] = field(default_factory=dict[str, "Nulls"])


@dataclass(frozen=True)
class Job:
    """What runs again and again; ``kind`` is SYNC, ASSET, CHECK or JOB."""

    namespace: str
    name: str
    kind: str
    integration: str
    description: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """What runs the jobs, and what tells of it."""

    dagster_version: str
    atlas_version: str


@dataclass(frozen=True)
class Parent:
    """The run of Dagster that a run is a part of."""

    run_id: str
    job: str


@dataclass(frozen=True)
class Event:
    """A transition of a run, at ``at`` in seconds since 1970.

    ``days`` are the first and the last UTC day that the run is for, as ISO dates. ``error`` is
    free of values of the data.
    """

    state: State
    at: float
    run_id: str
    job: Job
    engine: Engine
    parent: Parent | None = None
    days: tuple[str, str] | None = None
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    error: str | None = None

    @property
    def label(self) -> str:
        """The event as messages call it."""
        return f"{self.state.value} of {self.job.name}"
