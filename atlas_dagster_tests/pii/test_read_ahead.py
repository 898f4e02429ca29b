"""Rows are read by a thread, ahead of those who work on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from atlas_dagster.pii.read_ahead import read_ahead


def rows(count: int) -> Iterator[bytes]:
    return (b"%d" % n for n in range(count))


@pytest.mark.parametrize("batch_bytes", [1, 7, 10_000])
def test_all_rows_come_in_their_order(batch_bytes: int) -> None:
    with read_ahead(rows(500), batch_bytes) as batches:
        assert [row for batch in batches for row in batch] == list(rows(500))


def test_a_batch_is_full_when_it_has_its_bytes() -> None:
    with read_ahead([b"12345"] * 5, 10) as batches:
        assert [len(batch) for batch in batches] == [2, 2, 1]


def test_no_more_is_read_ahead_than_a_few_batches() -> None:
    read: list[int] = []
    with read_ahead((read.append(n) or b"x" for n in range(1_000)), 1) as batches:
        next(batches)
    assert len(read) < 10


def test_what_reading_raises_is_raised_after_the_rows_before_it() -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise OSError("the server is gone")

    with read_ahead(failing(), 1) as batches:
        assert next(batches) == [b"a"]
        with pytest.raises(OSError, match="the server is gone"):
            next(batches)


def test_the_thread_has_ended_when_the_block_has() -> None:
    before = threading.active_count()
    with read_ahead(rows(10_000), 1) as batches:
        next(batches)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
