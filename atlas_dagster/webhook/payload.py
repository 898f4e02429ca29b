"""What a webhook is sent: Airbyte's notifications, and the payload of QALITA's adapter.

Shapes: airbytehq/airbyte-platform, airbyte-notification (`SlackNotificationClient`, `SyncSummary`
and the templates beside them), and the adapter of QALITA's Airbyte integration. Of the former only
what names the job is read, for Airbyte knows the rest better; the latter is all there is.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, TypeVar, cast

import msgspec

from atlas_dagster.errors import PayloadError

Kind: TypeAlias = Literal["sync", "payload", "schema", "connection", "other"]
Status: TypeAlias = Literal["succeeded", "failed", "cancelled", "running"]
JsonObject = dict[str, Any]

BAD_REQUEST, UNPROCESSABLE = 400, 422

_T = TypeVar("_T")
_Id: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_JobId: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # Python joins the pairs that belong together
_TEST = ("[THIS IS A TEST NOTIFICATION]", "Hello World! This is a test from Airbyte")
_QUEUED = re.compile(r"Your sync for connection .* is queued\b", re.DOTALL)
_DISABLED = re.compile(r"Your connection from .* was automatically disabled\b", re.DOTALL)
_WARNING = re.compile(
    r"Your connection from .* is scheduled to be automatically disabled\b", re.DOTALL
)
_SCHEMA = re.compile(
    r"(The schema of .* has changed|Airbyte detected schema changes for"
    r"|Your source schema has changed for connection)",
    re.DOTALL,
)
_ENDED = re.compile(r"Your connection .* (succeeded|just failed)\b")
_UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CONNECTION = re.compile(rf"(?:/connections/|connection ID: )({_UUID})", re.IGNORECASE)
_JOB = re.compile(r"\bJob ID: (\d{1,18})\b")
_ADAPTER_KEYS = frozenset(
    ("job", "attempt", "connection", "connectionId", "connection_id", "catalog", "syncedCatalog")
)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST_MILLISECOND = 10**11  # in 1973: what is below was meant as seconds
_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999
_STATUSES: dict[str, Status] = {
    "succeeded": "succeeded",
    "success": "succeeded",
    "completed": "succeeded",
    "failed": "failed",
    "failure": "failed",
    "error": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "running": "running",
    "pending": "running",
    "queued": "running",
}


@dataclass(frozen=True)
class Notice:
    """One row of `pipeline.notice`; ``payload`` is JSON text, of kind `payload` only."""

    kind: Kind
    fingerprint: str
    connection_id: str | None = None
    job_id: int | None = None
    payload: str | None = None


@dataclass(frozen=True)
class Refused:
    """Why a body is no notice, and the HTTP status that says so; never a value of the body."""

    status: int
    reason: str


@dataclass(frozen=True)
class AdapterStream:
    """One stream of an adapter's catalog."""

    name: str
    namespace: str | None
    json_schema: JsonObject | None


@dataclass(frozen=True)
class AdapterSync:
    """One sync as the adapter's payload tells it; ``name`` is what it calls the job.

    ``streams`` is None where the payload has no catalog. Counts are None where it has none.
    """

    connection_id: str
    name: str | None
    job_id: int
    status: Status
    started_at: datetime | None
    ended_at: datetime | None
    records_emitted: int | None
    bytes_emitted: int | None
    records_committed: int | None
    streams: tuple[AdapterStream, ...] | None


def fingerprint(kind: Kind, connection_id: str | None, job_id: int | None, outcome: str) -> str:
    """What makes two notices the same."""
    job = "-" if job_id is None else job_id
    return f"{kind}/{connection_id or '-'}/{job}/{outcome}"


def parse(body: bytes, today: date) -> Notice | Refused:
    """Read the body of a request.

    ``today``: the same text about a connection is news again on another day.
    """
    try:
        try:
            decoded = _decode(body)
        except ValueError:
            return Refused(BAD_REQUEST, "the body is not JSON")
        if not isinstance(decoded, dict):
            return Refused(UNPROCESSABLE, "expected a JSON object")
        return _notice(cast("JsonObject", decoded), today)
    except PayloadError as error:
        return Refused(UNPROCESSABLE, str(error))
    except RecursionError:
        return Refused(BAD_REQUEST, "the body is nested too deeply")


def parse_adapter(payload: Mapping[str, Any]) -> AdapterSync:
    """Read the payload of QALITA's adapter; raises PayloadError naming the key that is wrong."""
    read = _convert(payload, _Adapter)
    connection_id = (
        (read.connection and read.connection.connection_id)
        or read.connection_id
        or read.snake_connection_id
    )
    if not connection_id:
        raise PayloadError("connection.connectionId: missing")
    attempt = read.attempt or _Attempt()
    started_at = _instant(read.job, attempt, "started_at", "startedAt")
    ended_at = _instant(read.job, attempt, "ended_at", "endedAt")
    if started_at and ended_at and ended_at < started_at:
        raise PayloadError("job.endedAt: before job.startedAt")
    stats = attempt.total_stats or attempt.sync_stats or _Stats()
    return AdapterSync(
        connection_id=connection_id,
        name=read.job.name or None,
        job_id=read.job.id,
        status=_status(read.job.status or attempt.status, ended=ended_at is not None),
        started_at=started_at,
        ended_at=ended_at,
        records_emitted=stats.records_emitted,
        bytes_emitted=stats.bytes_emitted,
        records_committed=stats.records_committed,
        streams=_streams(read),
    )


class _Named(msgspec.Struct, frozen=True):
    id: _Id


class _Summary(msgspec.Struct, frozen=True, rename="camel"):
    connection: _Named
    job_id: _JobId
    success: bool


class _Job(msgspec.Struct, frozen=True, rename="camel"):
    id: _JobId
    status: str | None = None
    name: str | None = None
    started_at: float | None = None
    ended_at: float | None = None


class _Stats(msgspec.Struct, frozen=True, rename="camel"):
    records_emitted: _Count | None = None
    bytes_emitted: _Count | None = None
    records_committed: _Count | None = None


class _Attempt(msgspec.Struct, frozen=True, rename="camel"):
    status: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    total_stats: _Stats | None = None
    sync_stats: _Stats | None = None


class _Connection(msgspec.Struct, frozen=True, rename="camel"):
    connection_id: _Id | None = None


class _SourceStream(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    namespace: str | None = None
    json_schema: JsonObject | None = None


class _CatalogEntry(msgspec.Struct, frozen=True, rename="camel"):
    stream: _SourceStream | None = None
    name: str | None = None
    namespace: str | None = None
    json_schema: JsonObject | None = None


class _Catalog(msgspec.Struct, frozen=True):
    streams: list[_CatalogEntry] | None = None


class _Adapter(msgspec.Struct, frozen=True, rename="camel"):
    job: _Job
    connection: _Connection | None = None
    connection_id: _Id | None = None
    snake_connection_id: _Id | None = msgspec.field(default=None, name="connection_id")
    attempt: _Attempt | None = None
    catalog: _Catalog | None = None
    synced_catalog: _Catalog | None = None


def _notice(body: JsonObject, today: date) -> Notice:
    """The notice of a body; raises PayloadError where it is of no shape that is known."""
    text = body.get("text")
    if body.get("data") is not None:
        return _of_summary(body, text if isinstance(text, str) else "")
    if not _ADAPTER_KEYS.isdisjoint(body):
        return _of_adapter(body)
    if isinstance(text, str):
        return _of_message(body, text, today)
    if text is not None:
        raise PayloadError("text: expected str")
    raise PayloadError("expected one of the keys data, job, text")


def _of_summary(body: JsonObject, text: str) -> Notice:
    """Airbyte's message about a job."""
    summary = _convert(body["data"], _Summary, "data")
    title = _title(body)
    if _is_test(text, title):
        return _other(text or title)
    connection_id, job_id = summary.connection.id, summary.job_id
    if _QUEUED.match(text) or title.startswith("Sync queued:"):
        return _about("other", connection_id, job_id, "queued")
    return _about("sync", connection_id, job_id, "succeeded" if summary.success else "failed")


def _of_adapter(body: JsonObject) -> Notice:
    """The adapter's payload, which is kept: its sender has no API to read the job from."""
    sync = parse_adapter(body)
    mark = fingerprint("payload", sync.connection_id, sync.job_id, sync.status)
    kept = json.dumps(body, ensure_ascii=False, allow_nan=False)
    return Notice("payload", mark, sync.connection_id, sync.job_id, kept)


def _of_message(body: JsonObject, text: str, today: date) -> Notice:
    """A message of text and Slack's blocks alone: ids stand in its links, if anywhere."""
    if _is_test(text, _title(body)):
        return _other(text)
    blocks = json.dumps(body.get("blocks"), ensure_ascii=False)
    link = _CONNECTION.search(f"{text}\n{blocks}")
    connection_id = link.group(1).lower() if link else None
    job = _JOB.search(text)
    ended = _ENDED.match(text)
    if ended and connection_id and job:
        outcome = "succeeded" if ended.group(1) == "succeeded" else "failed"
        return _about("sync", connection_id, int(job.group(1)), outcome)
    news = f"{today.isoformat()}/{_digest(text, blocks)}"
    if _SCHEMA.match(text):
        return _about("schema", connection_id, None, news)
    if _DISABLED.match(text) or _WARNING.match(text):
        return _about("connection", connection_id, None, news)
    return _other(text)


def _about(kind: Kind, connection_id: str | None, job_id: int | None, outcome: str) -> Notice:
    mark = fingerprint(kind, connection_id, job_id, outcome)
    return Notice(kind, mark, connection_id, job_id)


def _other(text: str) -> Notice:
    """A notice that leads to nothing, and names nothing that anyone would look for."""
    return Notice("other", fingerprint("other", None, None, _digest(text)))


def _is_test(text: str, title: str) -> bool:
    return text.startswith(_TEST) or title.startswith(_TEST)


def _title(body: JsonObject) -> str:
    """The text of the first of Slack's blocks."""
    blocks = body.get("blocks")
    first = cast("list[object]", blocks)[0] if isinstance(blocks, list) and blocks else None
    text = cast("JsonObject", first).get("text") if isinstance(first, dict) else None
    words = cast("JsonObject", text).get("text") if isinstance(text, dict) else None
    return words if isinstance(words, str) else ""


def _status(word: str | None, *, ended: bool) -> Status:
    """Our word for Airbyte's; what is ``incomplete`` goes on, unless it says when it ended."""
    if word is None:
        raise PayloadError("job.status: missing")
    lower = word.lower()
    if lower == "incomplete":
        return "failed" if ended else "running"
    if lower not in _STATUSES:
        raise PayloadError("job.status: expected succeeded, failed, cancelled or running")
    return _STATUSES[lower]


def _instant(job: _Job, attempt: _Attempt, name: str, key: str) -> datetime | None:
    """An instant of the job, else of its attempt."""
    for where, part in (("job", job), ("attempt", attempt)):
        milliseconds = cast("float | None", getattr(part, name))
        if milliseconds is None:
            continue
        if not _FIRST_MILLISECOND <= milliseconds <= _LAST_MILLISECOND:
            raise PayloadError(f"{where}.{key}: expected milliseconds since 1970")
        return _EPOCH + timedelta(milliseconds=milliseconds)
    return None


def _streams(read: _Adapter) -> tuple[AdapterStream, ...] | None:
    """The streams of the first catalog that has some to name."""
    for key, catalog in (("catalog", read.catalog), ("syncedCatalog", read.synced_catalog)):
        if catalog and catalog.streams is not None:
            return tuple(
                _stream(entry, f"{key}.streams[{position}]")
                for position, entry in enumerate(catalog.streams)
            )
    return None


def _stream(entry: _CatalogEntry, where: str) -> AdapterStream:
    inner = entry.stream or _SourceStream()
    name = inner.name or entry.name
    if not name:
        raise PayloadError(f"{where}.name: missing")
    schema = inner.json_schema if inner.json_schema is not None else entry.json_schema
    return AdapterStream(name, inner.namespace or entry.namespace or None, schema)


def _decode(body: bytes) -> object:
    """The JSON value of a body, of what PostgreSQL can hold; raises ValueError on other text."""
    text = body.decode("utf-8-sig")
    decoded = json.loads(text, parse_float=_finite, parse_constant=_refuse_constant)
    return _storable(decoded) if "\\u" in text else decoded


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("out of range")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _storable(value: object) -> object:
    """A value without the characters that PostgreSQL cannot hold, which only escapes can spell."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value.replace("\x00", ""))
    if isinstance(value, list):
        return [_storable(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {cast("str", _storable(key)): _storable(item) for key, item in items}
    return value


def _convert(value: object, kind: type[_T], where: str = "") -> _T:
    """Read a value; raises PayloadError naming the key that is wrong. Digits may be text."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        text, _, path = str(error).replace("`", "").partition(" - at $")
        key = f"{where}{path}".lstrip(".")
        reason = re.sub(r"^[A-Z](?=[a-z])", lambda first: first.group().lower(), text)
        raise PayloadError(f"{key}: {reason}" if key else reason) from None


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
