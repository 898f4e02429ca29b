"""The reading end of a sync: messages of a connector become batches with their states."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from atlas_dagster.airbyte.batches import Batch, Part, StreamBuffer
from atlas_dagster.airbyte.failures import ERROR_LEVELS
from atlas_dagster.airbyte.jobs import StreamKey, StreamProgress
from atlas_dagster.airbyte.protocol import Message, Record, State, Trace, TraceError
from atlas_dagster.airbyte.state import Entry, entries
from atlas_dagster.errors import ConnectorError

FLUSH_BYTES = 4 << 20
FLUSH_SECONDS = 2.0  # since the first state that is not written yet
LOUD_LEVELS = ("WARN", "WARNING", "ERROR", "FATAL")
_STATUSES = {"STARTED": "running", "RUNNING": "running", "COMPLETE": "complete"}

Note = Callable[[str, str], None]  # level, text


class Reader:
    """Sorts a connector's messages into streams; what is odd is noted once, the rest goes on."""

    def __init__(
        self,
        buffers: Mapping[StreamKey, StreamBuffer],
        *,
        note: Note,
        on_config: Callable[[bytes], None],
    ) -> None:
        self.buffers = buffers
        self.error: TraceError | None = None  # the first
        self.last_error: str | None = None  # that was logged
        self.spoke = False
        self.text_lines = 0
        self._note = note
        self._on_config = on_config
        self._noted: set[tuple[str, StreamKey]] = set()
        self._sequence = 0
        self._states: dict[StreamKey, list[Entry]] = {}
        self._state_kind: str | None = None
        self._first_state_at = 0.0
        self._bytes = 0  # since the last batch

    def take(self, messages: list[Message]) -> None:
        """Take messages in the order in which they came."""
        for message in messages:
            record = message.record
            if record is not None and message.type == "RECORD":
                self._take_record(record)
            else:
                self._take_other(message)

    def is_due(self) -> bool:
        """Whether it is time to write a batch."""
        if self._bytes >= FLUSH_BYTES:
            return True
        return bool(self._states) and time.monotonic() - self._first_state_at > FLUSH_SECONDS

    def batch(self) -> Batch:
        """The rows that are due with their states; rows without a state go to staging."""
        return self._batch(spill=True)

    def last_batch(self, *, succeeded: bool) -> Batch:
        """What is left: all of it after success, else what a state covers."""
        if succeeded:
            for buffer in self.buffers.values():
                buffer.cover()
                buffer.status = "complete"
        return self._batch(spill=False, force=succeeded)

    def progress(self) -> list[StreamProgress]:
        """What each stream has emitted so far."""
        return [
            StreamProgress(b.key, b.status, b.records_emitted, b.bytes_emitted, 0, 0, None, None)
            for b in self.buffers.values()
        ]

    def _batch(self, *, spill: bool, force: bool = False) -> Batch:
        parts: list[Part] = []
        for buffer in self.buffers.values():
            parts += buffer.take(spill=spill, force=force)
        states = [entry for group in self._states.values() for entry in group]
        self._states = {}
        self._bytes = 0
        return Batch(parts, states)

    def _take_record(self, record: Record) -> None:
        self.spoke = True
        key = (record.stream, record.namespace or None)
        buffer = self.buffers.get(key)
        if buffer is None:
            self._note_once("records of stream {} are dropped: it is not in the catalog", key)
            return
        self._sequence += 1
        self._bytes += buffer.add(self._sequence, record)

    def _take_other(self, message: Message) -> None:
        self.spoke = self.spoke or message.type != "TEXT"
        if message.state is not None and message.type == "STATE":
            self._take_state(message.state)
        elif message.trace is not None:
            self._take_trace(message.trace)
        elif message.control is not None and message.control.connector_config is not None:
            self._on_config(bytes(message.control.connector_config.config))
        elif message.log is not None:
            self.text_lines += message.type == "TEXT"
            if message.log.level in ERROR_LEVELS:
                self.last_error = message.log.message
            self._note(message.log.level, message.log.message)

    def _take_state(self, state: State) -> None:
        new = entries(state)
        kind = new[0].kind
        if self._state_kind not in (None, kind):
            raise ConnectorError(f"the connector mixes {self._state_kind} and {kind} states")
        self._state_kind = kind
        expected = state.source_stats.record_count if state.source_stats else None
        if kind == "STREAM":
            key = (new[0].name, new[0].namespace or None)
            buffer = self.buffers.get(key)
            if buffer is None:
                self._note_once("the state of stream {} is dropped: it is not in the catalog", key)
                return
            covered = [buffer]
        else:
            key, covered = ("", None), list(self.buffers.values())
        self._check_count(key, expected, sum(buffer.since_state for buffer in covered))
        for buffer in covered:
            buffer.cover()
            buffer.since_state = 0
            buffer.states += 1
        if not self._states:
            self._first_state_at = time.monotonic()
        self._states[key] = new

    def _check_count(self, key: StreamKey, expected: float | None, found: int) -> None:
        if expected is not None and expected != found:
            self._note_once(
                f"stream {{}}: its state counts {expected:.0f} records, {found} came", key
            )

    def _take_trace(self, trace: Trace) -> None:
        if trace.error is not None:
            self.error = self.error or trace.error
            if trace.error.internal_message:
                self._note("DEBUG", trace.error.internal_message)
        status = trace.stream_status
        if status is not None and status.stream_descriptor.key in self.buffers:
            buffer = self.buffers[status.stream_descriptor.key]
            buffer.status = _STATUSES.get(status.status, "incomplete")

    def _note_once(self, text: str, key: StreamKey) -> None:
        if (text[:30], key) not in self._noted:
            self._noted.add((text[:30], key))
            name = ".".join(part for part in (key[1], key[0]) if part) or "(all)"
            self._note("WARN", text.format(name))
