"""What a scan finds in the values of a field: counts, shares and masked samples, no raw value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EntityFinding:
    """What one entity was found in, of the values of a field; counts are exact."""

    entity: str
    """Presidio's name: EMAIL_ADDRESS."""
    values: int
    """Distinct values with at least one result of this entity."""
    rows: int
    """Rows (occurrences) that hold such a value."""
    mean_score: float
    """Over rows, of the best score of the entity in the value."""
    max_score: float
    whole_values: int
    """Distinct values which one result covers from end to end (stripped of white space)."""
    whole_rows: int


@dataclass(frozen=True)
class MaskedSample:
    """A value with an entity, as it may be shown: the shape is what masking leaves of it."""

    entity: str
    masked: str


@dataclass(frozen=True)
class RecognizerFailure:
    """Values that a recognizer raised an error on: it says nothing of them, others may."""

    recognizer: str
    error: str
    """The kind of the error, without its text, which may hold the value."""
    values: int
    rows: int


@dataclass(frozen=True)
class ValueShape:
    """What the values of a field look like, whatever Presidio finds: shares (0 to 1) of the rows.

    Values are looked at without the white space around them.
    """

    digits: float = 0.0
    """At least one digit, and nothing but digits and the signs numbers are written with."""
    integers_only: float = 0.0
    """Nothing but ASCII digits."""
    decimal: float = 0.0
    """A number with a fraction: a sign or none, ASCII digits, one point or comma, digits."""
    uuid: float = 0.0
    """8-4-4-4-12 hexadecimal digits, or 32 without hyphens, a decimal one among them."""
    iso_timestamp: float = 0.0
    """A date as 2026-11-23, with or without a time of day after it."""
    hex: float = 0.0
    """At least 8 hexadecimal digits, a letter and a decimal one among them, and nothing else."""
    words: float = 0.0
    """The mean number of words, over rows: one more than there are spaces. No share."""


@dataclass(frozen=True)
class FieldFindings:
    """All of a field: a column, or a JSON path in one."""

    path: tuple[str, ...]
    """("customer", "emails", "[]"): "[]" stands for any index, "*" for any key of a map."""
    rows: int
    """Non-null occurrences of text, and of numbers as text."""
    distinct_values: int
    entities: tuple[EntityFinding, ...] = ()
    """By entity name."""
    samples: tuple[MaskedSample, ...] = ()
    """Up to 3 an entity."""
    mean_length: float = 0.0
    """Characters, over rows."""
    shape: ValueShape = ValueShape()
    failures: tuple[RecognizerFailure, ...] = ()

    def entity(self, name: str) -> EntityFinding | None:
        """What was found of one entity, if anything."""
        return next((found for found in self.entities if found.entity == name), None)
