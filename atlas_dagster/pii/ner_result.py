"""What a model for names and places says of a field, and how much of it the model has read."""

from __future__ import annotations

from dataclasses import dataclass

from atlas_dagster.pii.findings import EntityFinding


@dataclass(frozen=True)
class NerResult:
    """Counts as of a scan, over the values that were read before the time was up.

    ``cut``: it was up before the last value. ``shortened`` values are longer than a model takes,
    and were read up to there. ``model`` is None where NER is not active.
    """

    model: str | None
    entities: tuple[EntityFinding, ...] = ()
    analyzed_values: int = 0
    analyzed_rows: int = 0
    total_values: int = 0
    total_rows: int = 0
    shortened: int = 0

    @property
    def cut(self) -> bool:
        return self.analyzed_values < self.total_values

    def __str__(self) -> str:
        """What people read beside the verdict."""
        if self.model is None:
            return "NER: not active"
        if self.cut:
            return (
                f"NER ({self.model}): the first {self.analyzed_values:,} of"
                f" {self.total_values:,} values, then its time was up"
            )
        return f"NER ({self.model}): all {self.total_values:,} values"


NOT_ACTIVE = NerResult(model=None)
