"""Counts what the values of a field look like."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from atlas_dagster.pii.findings import ValueShape

if TYPE_CHECKING:
    import polars as pl

_PATTERNS = {  # each asks for a digit
    "digits": r"^[0-9 +\-.,/()]*[0-9][0-9 +\-.,/()]*$",
    "integers_only": r"^[0-9]+$",
    "decimal": r"^[+\-]?[0-9]+[.,][0-9]+$",
    "uuid": r"^(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$",
    "iso_timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,]+ ?(?:Z|[+\-][0-9:]{2,6})?)?$",
    "hex": r"^(?:[0-9]+[a-fA-F]|[a-fA-F]+[0-9])[0-9a-fA-F]*$",
}
_SHORTEST_HEX = 8


class ShapeCount:
    """Sums over the rows of all chunks; see ValueShape."""

    def __init__(self) -> None:
        self.values = 0
        self.rows = 0
        self._sums: Counter[str] = Counter()

    def add(self, chunk: pl.DataFrame) -> None:
        """Count a chunk of values and how often each occurs."""
        import polars as pl

        if chunk.is_empty():
            return
        core, count = pl.col("core"), pl.col("count").cast(pl.Int64)
        values = chunk.with_columns(core=pl.col("value").str.strip_chars())
        spaces = core.str.count_matches(" ", literal=True)
        sums = values.select(
            rows=count.sum(),
            characters=(pl.col("value").str.len_chars() * count).sum(),
            words=((spaces + (core != "")) * count).sum(),
        )
        self._sums.update(sums.row(0, named=True))
        held = {name: core.str.contains(pattern) for name, pattern in _PATTERNS.items()}
        held["hex"] &= core.str.len_bytes() >= _SHORTEST_HEX
        with_digits = values.filter(core.str.contains("[0-9]")).select(
            **{name: count.filter(where).sum() for name, where in held.items()}
        )
        self._sums.update(with_digits.row(0, named=True))
        self.values += chunk.height
        self.rows = self._sums["rows"]

    @property
    def mean_length(self) -> float:
        """Characters, over rows."""
        return self._share("characters")

    @property
    def shape(self) -> ValueShape:
        """The shares of the rows."""
        return ValueShape(
            digits=self._share("digits"),
            integers_only=self._share("integers_only"),
            decimal=self._share("decimal"),
            uuid=self._share("uuid"),
            iso_timestamp=self._share("iso_timestamp"),
            hex=self._share("hex"),
            words=self._share("words"),
        )

    def _share(self, name: str) -> float:
        return self._sums[name] / self.rows if self.rows else 0.0
