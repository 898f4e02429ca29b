"""Counts the distinct values of many fields in bounded memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, TYPE_CHECKING

from atlas_dagster.pii_rules import Path

if TYPE_CHECKING:
    import polars as pl

MEMORY = 32 * 1024 * 1024
"""Bytes of values that are held before some are put on disk: to count them takes as much again,
more than once."""
CHUNK_ROWS = 50_000
CHUNK_BYTES = 8 * 1024 * 1024
_PARTS = 64
"""Into so many parts, by hash, a field is split on disk: each is small enough to be held."""
_SMALLEST_SPILL = 4096


@dataclass
class _Counted:
    """The values of one field: as they came, counted, and where parts of them lie in the file."""

    came: list[pl.Series] = field(default_factory=list["pl.Series"])
    came_size: int = 0
    counted: pl.DataFrame | None = None
    size: int = 0
    on_disk: dict[int, list[tuple[int, int]]] = field(
        default_factory=dict[int, list[tuple[int, int]]]
    )


class DistinctValues:
    """Values by field, each with how often it occurs.

    What does not fit in memory lies in a temporary file that has no name: it is gone with this
    process, however that ends. To be closed.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._held = 0
        self._fields: dict[Path, _Counted] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> DistinctValues:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fields.clear()
        if self._file is not None:
            self._file.close()

    @property
    def paths(self) -> Sequence[Path]:
        """The fields that have values."""
        return list(self._fields)

    def add(self, path: Path, values: Sequence[str]) -> None:
        """Count some values of a field."""
        import polars as pl

        series = pl.Series("value", values, dtype=pl.String)
        counted = self._fields.setdefault(path, _Counted())
        size = int(series.estimated_size())
        counted.came.append(series)
        counted.came_size += size
        self._held += size
        if counted.came_size > counted.size + CHUNK_BYTES:
            self._count(counted)
        while self._held > self._memory and self._shrink_largest():
            pass

    def take(self, paths: Iterable[Path]) -> Generator[pl.DataFrame]:
        """The values of fields that are one in the end, in chunks, each value once; they are gone
        afterwards."""
        several = [self._fields.pop(path) for path in paths]
        for counted in several:
            self._count(counted)
        if not any(counted.on_disk for counted in several):
            self._held -= sum(counted.size for counted in several)
            frames = [counted.counted for counted in several if counted.counted is not None]
            del several
            yield from _chunks(_added(frames))
            return
        for counted in several:
            self._spill(counted)
        for part in range(_PARTS):
            places = [place for counted in several for place in counted.on_disk.get(part, ())]
            if places:
                yield from _chunks(_added([self._read(*place) for place in places]))

    def _count(self, counted: _Counted) -> None:
        import polars as pl

        if not counted.came:
            return
        new = pl.concat(counted.came).value_counts(name="count").cast({"count": pl.Int64})
        frames = [new] if counted.counted is None else [counted.counted, new]
        self._held -= counted.size + counted.came_size
        counted.came, counted.came_size = [], 0
        counted.counted = _added(frames)
        counted.size = int(counted.counted.estimated_size())
        self._held += counted.size

    def _shrink_largest(self) -> bool:
        """Count what came of a field, or put it on disk if that has been done; whether it helps."""
        largest = max(self._fields.values(), key=lambda one: one.size + one.came_size)
        if largest.size + largest.came_size < _SMALLEST_SPILL:
            return False
        if largest.came_size > largest.size:
            self._count(largest)
        else:
            self._spill(largest)
        return True

    def _spill(self, counted: _Counted) -> None:
        import polars as pl

        self._count(counted)
        if counted.counted is None:
            return
        frame = counted.counted.with_columns(part=pl.col("value").hash(0) % _PARTS)
        for (part,), rows in frame.partition_by("part", as_dict=True, include_key=False).items():
            counted.on_disk.setdefault(int(part), []).append(self._write(rows))
        self._held -= counted.size
        counted.counted, counted.size = None, 0

    def _write(self, frame: pl.DataFrame) -> tuple[int, int]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="atlas-pii-")  # noqa: SIM115
        start = self._file.seek(0, io.SEEK_END)
        frame.write_ipc_stream(self._file, compression="lz4")
        return start, self._file.tell() - start

    def _read(self, start: int, length: int) -> pl.DataFrame:
        import polars as pl

        assert self._file is not None
        self._file.seek(start)
        return pl.read_ipc_stream(io.BytesIO(self._file.read(length)))


def _added(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    if len(frames) == 1:
        return frames[0]
    return pl.concat(frames).group_by("value").agg(pl.col("count").sum())


def _chunks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Slices of at most so many rows, and of so many bytes unless one value is longer."""
    size = max(1, int(frame.estimated_size()))
    rows = min(CHUNK_ROWS, max(1, frame.height * CHUNK_BYTES // size))
    yield from frame.iter_slices(rows)
