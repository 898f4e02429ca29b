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
    _Gates = dict[str, dict[str, list[Detector]]]
    """By the characters that are needed, and the pattern that has to match, who is asked then."""

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
        self._ascii = _by_needs(detectors, _ascii_of, _ascii_needs)
        self._wide = _by_needs(detectors, _wide_of, _wide_needs)
        self._any = union([union(self._ascii), _BEYOND_ASCII])

    def candidates(self, values: pl.Series) -> Iterator[Candidates]:
        """What each detector has to be asked about, of all values (of any length, none null)."""
        import polars as pl

        frame = _matching(pl.DataFrame({"value": values}).with_row_index("place"), self._any)
        wide = pl.col("value").str.contains(_BEYOND_ASCII)
        for detector, passed in _passing(frame.filter(~wide), self._ascii):
            if detector.settled is not None:
                yield _settled(detector, detector.settled, passed)
            else:
                yield Candidates(detector, passed["place"].to_list(), passed["value"].to_list())
        for detector, passed in _passing(frame.filter(wide), self._wide):
            yield Candidates(detector, passed["place"].to_list(), passed["value"].to_list())


def _by_needs(detectors: Sequence[Detector], pattern: _Kind, needs: _Kind) -> _Gates:
    gates: _Gates = {}
    for detector in detectors:
        several = gates.setdefault(needs(detector.gate), {})
        several.setdefault(pattern(detector.gate), []).append(detector)
    return gates


def _passing(frame: pl.DataFrame, gates: _Gates) -> Iterator[tuple[Detector, pl.DataFrame]]:
    """The values that each detector's gate matches, where there are any.

    First a look at what characters there are: then most patterns need not even be compiled.
    """
    if frame.is_empty():
        return
    frame = _matching(frame, union(gates))
    for needs, patterns in gates.items():
        needing = _matching(frame, needs)
        if needing.is_empty():
            continue
        for pattern, detectors in patterns.items():
            passed = _matching(needing, pattern)
            if not passed.is_empty():
                yield from ((detector, passed) for detector in detectors)


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


def _matching(frame: pl.DataFrame, pattern: str) -> pl.DataFrame:
    import polars as pl

    return frame.filter(pl.col("value").str.contains(pattern)) if pattern else frame


def _ascii_of(relaxed: Relaxed) -> str:
    return relaxed.ascii


def _wide_of(relaxed: Relaxed) -> str:
    return relaxed.wide


def _ascii_needs(relaxed: Relaxed) -> str:
    return relaxed.ascii_needs


def _wide_needs(relaxed: Relaxed) -> str:
    return relaxed.wide_needs
