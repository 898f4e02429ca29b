"""One sync: a connector's output into landing tables, checkpoint by checkpoint."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from atlas_dagster import catalog_store
from atlas_dagster.airbyte import catalogs, connectors, jobs, landing, protocol, state
from atlas_dagster.airbyte.batches import StreamBuffer
from atlas_dagster.airbyte.config_store import ResolvedConfig, Scrubber
from atlas_dagster.airbyte.connectors import ConfigKeeper, Connector
from atlas_dagster.airbyte.failures import failure_reason
from atlas_dagster.airbyte.process import (
    CancelledError,
    ConnectorProcess,
    private_directory,
    running,
    write_private,
)
from atlas_dagster.airbyte.reader import LOUD_LEVELS, Reader
from atlas_dagster.airbyte.writer import Writer
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.config import EmbeddedConnection
from atlas_dagster.errors import AtlasError, ConnectorError
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import connect

NOTES_KEPT = 200
CANCEL_CHECK_SECONDS = 2.0


@dataclass(frozen=True)
class StreamCount:
    """How far one stream of a running sync is."""

    name: str
    records: int
    states: int


class Sync:
    """One job, run in the calling thread or in one of its own; others may watch and cancel it.

    Everything is committed checkpoint by checkpoint. When the connector fails, what its last states
    cover stays, and the rest is read again by the next sync.
    """

    def __init__(
        self,
        embedded: EmbeddedConnection,
        settings: Settings,
        warehouse_url: str,
        run_id: str | None = None,
    ) -> None:
        """Take the connection's lock and open the job; raises BusyError where it is taken."""
        self.embedded = embedded
        self.settings = settings
        self.status = "running"
        self.failure: str | None = None
        self.stage = "preparing"
        self.notes: deque[tuple[str, str]] = deque()
        self._noted = 0
        self._url = warehouse_url
        self._cancelled = threading.Event()
        self._scrub = Scrubber()
        self._last_words: deque[str] = deque(maxlen=20)
        self._generations: Mapping[jobs.StreamKey, int] = {}
        self._reader: Reader | None = None
        self._thread: threading.Thread | None = None
        self._connection = connect(warehouse_url, application=f"atlas sync {embedded.slug}")
        try:
            self.job_id = jobs.create(self._connection, embedded, run_id)
        except BaseException:
            self._connection.close()
            raise

    def start(self) -> None:
        """Run in a thread of this process."""
        self._thread = threading.Thread(
            target=self.run, name=f"sync {self.embedded.slug}", daemon=True
        )
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; returns whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def cancel(self) -> None:
        """Stop the connector; what its states cover is still committed."""
        self._cancelled.set()

    def counts(self) -> list[StreamCount]:
        """The records and states read so far, by stream; none for a stream that has not begun."""
        buffers = self._reader.buffers.values() if self._reader else ()
        return [
            StreamCount(b.key[0], b.records_emitted, b.states) for b in buffers if b.records_emitted
        ]

    def run(self) -> None:
        """Sync, and leave the outcome in ``status`` and ``failure`` and in the ledger."""
        status = "failed"
        failure: str | None = "an error of Atlas itself"
        try:
            self._run()
            status, failure = "succeeded", None
        except CancelledError as error:
            status, failure = "cancelled", str(error)
        except AtlasError as error:
            failure = self._scrub(str(error))
        except psycopg.Error as error:
            failure = self._scrub(_postgres_failure(error))
        finally:
            if failure is not None:
                self._record_failure(status, failure)
            self._connection.close()
            self.failure = failure
            self.status = status  # last: who watches may read the rest once this has changed

    def _run(self) -> None:
        label = connectors.connector_label(self.embedded)
        self.stage = f"preparing {label}; it is installed the first time"
        connector = Connector(
            connection=self.embedded,
            executable=connectors.install(self.embedded, self.settings.data_dir),
            data_dir=self.settings.data_dir,
            heartbeat_seconds=self.settings.heartbeat_seconds,
            cancelled=self._cancelled,
            scrub=self._scrub,
        )
        shutil.rmtree(connector.run_dir, ignore_errors=True)  # of a sync that was killed
        keeper = connectors.configure(connector)
        self.stage = f"asking {label} for its streams"
        found = connectors.discover(connector, keeper)
        catalogs.require_streams(self.embedded, found)
        connection = self._save_catalog(found)
        self._generations = jobs.open_streams(self._connection, connection.streams, self.job_id)
        writer = self._open_writer(connection, found)
        self.stage = f"reading from {label}"
        with private_directory(connector.run_dir) as directory:
            options = self._options(directory, connection, found, keeper.config)
            self._read(connector, directory, options, writer, keeper)

    def _save_catalog(self, found: Mapping[str, Any]) -> Connection:
        details = catalogs.connection_details(self.embedded, found)
        destination = catalogs.destination_details(self.embedded, self.settings)
        destination["configuration"]["database"] = self._connection.info.dbname
        connection = parse_connection(details, destination, self.embedded.slug)
        catalog_store.save_catalog(self._connection, self.embedded.slug, details, destination)
        return connection

    def _open_writer(self, connection: Connection, found: Mapping[str, Any]) -> Writer:
        schemas = {(s["name"], s.get("namespace") or None): s for s in found["streams"]}
        prefix = raw_id_prefix()
        landings = {
            (stream.name, stream.namespace): landing.open_landing(
                self._connection,
                stream,
                landing.json_kinds(schemas[(stream.name, stream.namespace)]["json_schema"]),
                sync_id=self.job_id,
                generation_id=self._generations[(stream.name, stream.namespace)],
                raw_id_prefix=prefix,
            )
            for stream in connection.streams
        }
        return Writer(self._connection, self.embedded.id, self.job_id, landings)

    def _options(
        self,
        directory: Path,
        connection: Connection,
        found: Mapping[str, Any],
        config: ResolvedConfig,
    ) -> list[str]:
        """Write what `read` is given into files that only we can read."""
        configured = catalogs.configured_catalog(connection, found, self._generations, self.job_id)
        saved = state.export(self._connection, self.embedded.id)
        files = {
            "config": msgspec.json.encode(config.values),
            "catalog": msgspec.json.encode(configured),
            **({"state": saved} if saved != b"[]" else {}),
        }
        options: list[str] = []
        for name, content in files.items():
            options += [f"--{name}", str(write_private(directory / f"{name}.json", content))]
        return options

    def _read(
        self,
        connector: Connector,
        directory: Path,
        options: list[str],
        writer: Writer,
        keeper: ConfigKeeper,
    ) -> None:
        buffers = {
            key: StreamBuffer(key, applies_early=target.truncates)
            for key, target in writer.landings.items()
        }
        reader = Reader(buffers, note=self._note, on_config=keeper.keep)
        self._reader = reader
        try:
            with running(
                [str(connector.executable), "read", *options],
                directory,
                heartbeat_seconds=connector.heartbeat_seconds,
                on_stderr=self._last_words.append,
                cancelled=self._cancelled,
            ) as process:
                self._pump(process, reader, writer)
                _check_end(process, reader, connector, self._last_words)
        except AtlasError as error:
            self._close_early(reader, writer, error)
            raise
        batch = reader.last_batch(succeeded=True)
        writer.close(batch, reader.progress(), status="succeeded", failure=None)

    def _pump(self, process: ConnectorProcess, reader: Reader, writer: Writer) -> None:
        """Read while one batch at most is being written beside it."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync writer") as executor:
            writing: Future[bool] | None = None
            asked = time.monotonic()
            try:
                for chunk in process.chunks():
                    reader.take(protocol.decode(chunk))
                    due = reader.is_due()
                    if writing is not None and (due or writing.done()) and writing.result():
                        self._cancelled.set()
                    if due:
                        writing = executor.submit(writer.write, reader.batch(), reader.progress())
                        asked = time.monotonic()
                    elif time.monotonic() - asked > CANCEL_CHECK_SECONDS:
                        writing = executor.submit(writer.is_cancel_requested)
                        asked = time.monotonic()
            finally:
                if writing is not None:
                    writing.result()  # a batch that failed outweighs what the connector said after

    def _close_early(self, reader: Reader, writer: Writer, error: AtlasError) -> None:
        """Commit what the states cover; a stream that was read to its end counts as complete."""
        status = "cancelled" if isinstance(error, CancelledError) else "failed"
        batch, progress = reader.last_batch(succeeded=False), reader.progress()
        writer.close(batch, progress, status=status, failure=self._scrub(str(error)))

    def _record_failure(self, status: str, failure: str) -> None:
        """Close the job in the ledger; where the warehouse is gone, the next run will."""
        try:
            with connect(self._url) as connection:
                jobs.finish(connection, self.embedded.id, self.job_id, status, failure)
        except (AtlasError, psycopg.Error) as error:
            self._note("WARN", f"the failure is not in the ledger yet: {error}")

    def _note(self, level: str, text: str) -> None:
        if level not in LOUD_LEVELS:
            return
        self._noted += 1
        if self._noted < NOTES_KEPT:
            self.notes.append((level, self._scrub(text)))
        elif self._noted == NOTES_KEPT:
            self.notes.append(("WARN", "further warnings of this sync are left out"))


def raw_id_prefix() -> str:
    """A UUIDv7 without its last twelve digits, which a record's number in the job supplies."""
    milliseconds = time.time_ns() // 1_000_000
    head = f"{milliseconds:012x}"
    variant = 0x8000 | random.getrandbits(14)
    return f"{head[:8]}-{head[8:]}-7{random.getrandbits(12):03x}-{variant:04x}-"


def _check_end(
    process: ConnectorProcess, reader: Reader, connector: Connector, last_words: deque[str]
) -> None:
    """Raise ConnectorError unless the connector ended well."""
    code = process.wait()
    if code != 0 or reader.error:
        errors = [*last_words, *filter(None, [reader.last_error])]
        reason = failure_reason(reader.error, errors, connector.scrub)
        raise ConnectorError(f"{connector.label} failed with exit code {code}: {reason}")
    reader.take(protocol.decode_rest(process.rest))
    if reader.text_lines and not reader.spoke:
        raise ConnectorError(
            f"{connector.label} printed {reader.text_lines} lines,"
            " and none is of the Airbyte protocol"
        )


def _postgres_failure(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return f"PostgreSQL was lost during the sync: {text}"
    return f"PostgreSQL refused the data: {text}"
