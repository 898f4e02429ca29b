"""Reads rows while those before are worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread
from typing import Any

_BATCHES_AHEAD = 2

_Batch = list[bytes] | BaseException | None
"""Rows; what ended the reading early; None: there are no more."""


@contextmanager
def read_ahead(rows: Iterable[Any], batch_bytes: int) -> Generator[Iterator[list[bytes]]]:
    """Batches of rows (what bytes can be made of), of about so many bytes.

    A thread reads them, which has ended when the block has, whether all rows were taken or not.
    Raises what reading raised.
    """
    batches: Queue[_Batch] = Queue(_BATCHES_AHEAD)
    stopped = Event()
    thread = Thread(target=_read, args=(rows, batch_bytes, batches, stopped), daemon=True)
    thread.start()
    try:
        yield _taken(batches)
    finally:
        stopped.set()
        while thread.is_alive():
            _make_room(batches)
            thread.join(0.01)


def _read(rows: Iterable[Any], batch_bytes: int, batches: Queue[_Batch], stopped: Event) -> None:
    batch: list[bytes] = []
    size = 0
    try:
        for row in rows:
            if stopped.is_set():
                return
            batch.append(bytes(row))
            size += len(row)
            if size >= batch_bytes:
                batches.put(batch)
                batch, size = [], 0
        batches.put(batch)
        batches.put(None)
    except BaseException as error:  # noqa: BLE001
        batches.put(error)


def _taken(batches: Queue[_Batch]) -> Iterator[list[bytes]]:
    while (batch := batches.get()) is not None:
        if isinstance(batch, BaseException):
            raise batch
        yield batch


def _make_room(batches: Queue[_Batch]) -> None:
    while not batches.empty():
        batches.get_nowait()
