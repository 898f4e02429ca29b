"""The Airbyte protocol: lines of a connector's output become messages, record data stays bytes.

Shapes: airbytehq/airbyte-protocol, airbyte_protocol.yaml (0.18). Unknown properties are allowed,
explicit nulls stand for absent ones, and anything that is not a message is log text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from atlas_dagster.errors import ConnectorError

JsonObject = dict[str, Any]

ABSENT = Raw()  # what a Raw field holds where the source sent none

_MESSAGE_OF_DATA = re.compile(rb'"type"\s*:\s*"(RECORD|STATE)"')
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # Python joins the pairs that belong together
_HUGE_EXPONENT = 130_000  # PostgreSQL's numeric holds 131072 digits before the point


class Change(Struct, frozen=True):
    """What was done to one field of a record on its way (`AirbyteRecordMessageMetaChange`)."""

    field: str
    change: str
    reason: str


class RecordMeta(Struct, gc=False):
    changes: Raw = ABSENT


class Record(Struct, gc=False):
    """One record; ``data`` is the JSON object as the source sent it."""

    stream: str
    data: Raw
    emitted_at: int | float
    namespace: str | None = None
    meta: RecordMeta | None = None


class StreamDescriptor(Struct, frozen=True):
    name: str
    namespace: str | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        return self.name, self.namespace or None


class StreamState(Struct):
    stream_descriptor: StreamDescriptor
    stream_state: Raw = ABSENT


class GlobalState(Struct):
    stream_states: list[StreamState] = []
    shared_state: Raw = ABSENT


class SourceStats(Struct):
    record_count: float | None = msgspec.field(default=None, name="recordCount")


class State(Struct):
    """A state message; a missing type is LEGACY."""

    type: str | None = None
    stream: StreamState | None = None
    global_: GlobalState | None = msgspec.field(default=None, name="global")
    data: Raw = ABSENT
    source_stats: SourceStats | None = msgspec.field(default=None, name="sourceStats")


class Log(Struct):
    message: str = ""
    level: str = "INFO"


class TraceError(Struct):
    message: str | None = None
    internal_message: str | None = None
    failure_type: str | None = None


class StreamStatus(Struct):
    stream_descriptor: StreamDescriptor
    status: str


class Trace(Struct):
    type: str
    error: TraceError | None = None
    stream_status: StreamStatus | None = None


class ConnectorConfig(Struct):
    config: Raw


class Control(Struct):
    type: str
    connector_config: ConnectorConfig | None = msgspec.field(default=None, name="connectorConfig")


class ConnectionStatus(Struct):
    status: str
    message: str | None = None


class Message(Struct, gc=False):
    """One line of a connector's output; the field of its type is set."""

    type: str
    record: Record | None = None
    state: State | None = None
    log: Log | None = None
    trace: Trace | None = None
    control: Control | None = None
    spec: Raw = ABSENT
    catalog: Raw = ABSENT
    connection_status: ConnectionStatus | None = msgspec.field(
        default=None, name="connectionStatus"
    )


_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(chunk: bytes) -> list[Message]:
    """The messages of complete lines; text that is no message becomes a TEXT message.

    Raises ConnectorError where a line was to be a RECORD or STATE and is not one.
    """
    if chunk and _is_plain(chunk):
        try:
            return _decoder.decode_lines(chunk)
        except (msgspec.DecodeError, RecursionError):
            pass  # one line of the chunk at least needs the slow way
    return [message for line in chunk.split(b"\n") if (message := _decode_line(line))]


def decode_rest(rest: bytes) -> list[Message]:
    """What stood after the last newline: log text, or a ConnectorError where it began as JSON."""
    text = rest.strip()
    if text.startswith(b"{"):
        raise ConnectorError(
            f"the connector's output ends in the middle of a line, after {len(text)} bytes of it"
        )
    return [_log_message(text)] if text else []


def repair_json(data: bytes) -> tuple[bytes, list[Change]]:
    """JSON that PostgreSQL accepts, made of what Python's lenient parser reads.

    NaN, Infinity and numbers that no numeric can hold become null, with a change for the top-level
    field they stand in; lone surrogates and broken UTF-8 become U+FFFD; ``\\u0000`` goes.
    Raises ValueError where it is no JSON at all.
    """
    value = _lenient(data)
    nulled: set[str] = set()
    clean = _clean(value, nulled, None)
    return _encoder.encode(clean), _nulled(nulled)


def _is_plain(chunk: bytes) -> bool:
    """Whether what msgspec accepts in this chunk, PostgreSQL accepts too."""
    if b"\\u0000" in chunk or b"\t" in chunk or b"\r" in chunk:
        return False
    return chunk.isascii() or _is_utf8(chunk)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_line(line: bytes) -> Message | None:
    if not line.strip():
        return None
    if _is_plain(line):
        try:
            return _decoder.decode(line)
        except (msgspec.DecodeError, RecursionError):
            pass  # tried again below, leniently
    try:
        return _decode_lenient(line)
    except (ValueError, RecursionError) as error:
        if _MESSAGE_OF_DATA.search(line):
            raise ConnectorError(
                f"the connector broke the Airbyte protocol: {_reason(error)} (in a line of"
                f" {len(line)} bytes)"
            ) from None
    return _log_message(line)


def _decode_lenient(line: bytes) -> Message:
    """Decode through Python's parser. Raises ValueError where it is not a message."""
    parsed = _lenient(line)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    nulled: set[str] = set()
    record = cast("JsonObject", parsed).get("record")
    if isinstance(record, dict) and "data" in record:
        record["data"] = _clean(cast("JsonObject", record)["data"], nulled, None)
    message = _decoder.decode(_encoder.encode(_clean(cast("JsonObject", parsed), set(), None)))
    if message.record and nulled:
        sent = bytes(message.record.meta.changes) if message.record.meta else b""
        message.record.meta = RecordMeta(Raw(with_changes(sent, _nulled(nulled))))
    return message


def with_changes(sent: bytes, added: Sequence[Change]) -> bytes:
    """A JSON array of changes with some more at its end."""
    before = msgspec.json.decode(sent or b"[]", type=list[Change])
    return msgspec.json.encode([*before, *added])


def _lenient(data: bytes) -> object:
    return json.loads(
        data.decode("utf-8", "replace"), strict=False, parse_float=_number, parse_int=_number
    )


def _number(text: str) -> int | Decimal | float:
    """A number without loss; NaN for one that PostgreSQL could not hold."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return float("nan")
    if not -_HUGE_EXPONENT // 10 < value.adjusted() < _HUGE_EXPONENT:
        return float("nan")
    return value


def _clean(value: object, nulled: set[str], field: str | None) -> object:
    match value:
        case float():  # only NaN and Infinity: all else was read as Decimal
            nulled.add(field or "")
            return None
        case str():
            return _clean_text(value)
        case list():
            return [_clean(item, nulled, field) for item in cast("list[object]", value)]
        case dict():
            return {
                _clean_text(name): _clean(item, nulled, field or name)
                for name, item in cast("dict[str, object]", value).items()
            }
        case _:
            return value


def _clean_text(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def _nulled(fields: set[str]) -> list[Change]:
    return [Change(field, "NULLED", "SOURCE_SERIALIZATION_ERROR") for field in sorted(fields)]


def _log_message(line: bytes) -> Message:
    return Message(type="TEXT", log=Log(message=line.decode(errors="replace").strip()))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
