"""Asks all values of a chunk at once which recognizers are worth asking about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas_dagster.pii.detectors import Detector, Score, Settled
from atlas_dagster.pii.relax import Relaxed, union

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    _Kind = Callable[[Relaxed], str]

_BEYOND_ASCII = r"[\x{80}-\x{10FFFF}]"


@dataclass(frozen=True)
class Candidates:
    """The values of which one detector finds anything, if any.

    It has to be asked about some of them: here are their places in the chunk, and their texts.
    What is ``settled``, is a score and the places of the values that have it.
    """

    detector: Detector
    places: list[int]
    texts: list[str]
    settled: tuple[tuple[Score, list[int]], ...] = ()


class Prefilter:
    """What any of several detectors can find something in."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        gates = [detector.gate for detector in detectors]
        self._ascii_needs = union(gate.ascii_needs for gate in gates)
        self._wide_needs = union(gate.wide_needs for gate in gates)

    def candidates(self, values: pl.Series) -> Iterator[Candidates]:
        """What each detector has to be asked about, of all values (of any length, none null)."""
        import polars as pl

        frame = pl.DataFrame({"value": values}).with_row_index("place")
        wide = pl.col("value").str.contains(_BEYOND_ASCII)
        yield from self._of_kind(_needing(frame.filter(~wide), self._ascii_needs), _ascii_of)
        yield from self._of_kind(_needing(frame.filter(wide), self._wide_needs), _wide_of)

    def _of_kind(self, frame: pl.DataFrame, kind: _Kind) -> Iterator[Candidates]:
        import polars as pl

        if frame.is_empty():
            return
        patterns = list(dict.fromkeys(kind(detector.gate) for detector in self._detectors))
        gates = frame.select(
            _contains(pattern).alias(str(number)) for number, pattern in enumerate(patterns)
        )
        for detector in self._detectors:
            gate = gates[str(patterns.index(kind(detector.gate)))]
            if not gate.any():
                continue
            passed = frame.filter(gate)
            if detector.settled is not None and kind is _ascii_of:
                yield _settled(detector, detector.settled, passed)
            else:
                yield Candidates(detector, passed["place"].to_list(), passed["value"].to_list())


def _settled(detector: Detector, settled: Settled, passed: pl.DataFrame) -> Candidates:
    import polars as pl

    value = pl.col("value")
    may_be_whole = passed.select(value.str.contains(settled.whole)).to_series()
    parts = passed.filter(~may_be_whole)["place"]
    passed = passed.filter(may_be_whole)
    wholes = parts.clear()
    if settled.first:
        # Around the first match there may be white space: that has to be asked.
        is_whole = passed.select(value.str.extract(settled.first, 0) == value).to_series()
        wholes = passed.filter(is_whole)["place"]
        passed = passed.filter(~is_whole)
    part, whole = Score(settled.score), Score(settled.score, settled.score)
    return Candidates(
        detector,
        passed["place"].to_list(),
        passed["value"].to_list(),
        ((part, parts.to_list()), (whole, wholes.to_list())),
    )


def _needing(frame: pl.DataFrame, needs: str) -> pl.DataFrame:
    return frame.filter(_contains(needs)) if needs else frame


def _contains(pattern: str) -> pl.Expr:
    import polars as pl

    return pl.col("value").str.contains(pattern) if pattern else pl.lit(value=True)


def _ascii_of(relaxed: Relaxed) -> str:
    return relaxed.ascii


def _wide_of(relaxed: Relaxed) -> str:
    return relaxed.wide
