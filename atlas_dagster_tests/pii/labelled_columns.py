"""The labelled set: fields of which a person has said what they hold, with 200 values each.

How they are labelled, where it could be argued:
- E-mail addresses and telephone numbers count whosever they are: a firm's is often a person's.
- Addresses, towns and postal codes count (LOCATION), those of shops, firms and other things not;
  a country, state or region alone is too coarse.
- IP and MAC addresses count, those of servers and network devices not.
- Keys (UUIDs, customer and order numbers) do not count, numbers that follow a person's device or
  body do (DEVICE_ID, MEDICAL_ID), as do user names (USERNAME), but not slugs.
- What is masked or hashed already does not count.
- Names of people in the midst of free text are not labelled: without a model for them nobody
  can find them. A field of names counts.
- Expected is one name an entity: national numbers are all NATIONAL_ID (`verdict.family_of`).

The development half is what rules and words were tuned on. The held-out half was written before
any verdict was seen, by the same hand as the words, and no word or rule was changed for what it
showed: what is wrong in it stays wrong, and `bench_pii_accuracy.py --wrong` lists it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from atlas_dagster_tests.pii.generators import Maker

ROWS = 200


@dataclass(frozen=True)
class LabelledColumn:
    """A field of a stream, and the personal data that it holds, if any."""

    language: str
    stream: str
    path: tuple[str, ...]
    expected: frozenset[str]
    maker: Maker

    @property
    def name(self) -> str:
        return f"{self.stream}.{'.'.join(self.path)}"

    def values(self, rows: int = ROWS) -> list[str]:
        """The same ones each time."""
        random = Random(f"{self.language} {self.name}")
        return [self.maker(random, self.language) for _ in range(rows)]


def column(language: str, name: str, expected: str, maker: Maker) -> LabelledColumn:
    """``name`` is the stream and the path, joined by dots; ``expected`` is parted by blanks."""
    stream, *path = name.split(".")
    return LabelledColumn(language, stream, tuple(path), frozenset(expected.split()), maker)
