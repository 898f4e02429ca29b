"""A scan of the record versions of one day: every value of every field, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from atlas_dagster.catalog import Stream
from atlas_dagster.pii.context import context_of
from atlas_dagster.pii.findings import FieldFindings
from atlas_dagster.pii.masking import mask_sample
from atlas_dagster.pii.ner_result import NOT_ACTIVE, NerResult
from atlas_dagster.pii.source import FieldValues, stream_values
from atlas_dagster.pii.store import FieldScan
from atlas_dagster.pii.verdict import judge
from atlas_dagster.pii_rules import Path, field_name
from atlas_dagster.warehouse import PgConnection

if TYPE_CHECKING:
    import polars as pl

    from atlas_dagster.pii.ner import NameFinder
    from atlas_dagster.pii.scan import Scanner

HELD_FOR_NER = 50_000
"""So many distinct values of a field wait for a model: no time would be left for more."""


@dataclass(frozen=True)
class StreamScan:
    """The fields of a day, by path; ``maps`` are objects whose values were taken for one field.

    ``cut`` says of which fields a model has read only a part, before its time was up.
    """

    records: int
    fields: tuple[FieldScan, ...]
    maps: tuple[Path, ...]
    ner: str
    cut: tuple[str, ...]

    @property
    def map_names(self) -> list[str]:
        return [field_name(path) for path in self.maps]

    @property
    def result(self) -> dict[str, Any]:
        """What a person should know of the scan beside its findings."""
        return {
            "ner": self.ner,
            "cut": list(self.cut),
            "maps": self.map_names,
        }


@lru_cache(maxsize=1)
def load_scanner(recognizers_file: FilePath, spacy_model: str | None, digest: str) -> StreamScanner:  # noqa: ARG001
    """Load recognizers and model, once for all streams of a run: it takes seconds.

    ``digest`` tells when what was loaded is of old. Raises ConfigError naming what is wrong.
    """
    from atlas_dagster.pii.recognizers import load_analyzer
    from atlas_dagster.pii.scan import Scanner

    names = None
    if spacy_model:
        from atlas_dagster.pii.ner import NameFinder

        names = NameFinder(spacy_model)
    return StreamScanner(Scanner(load_analyzer(recognizers_file), mask_sample), names)


class StreamScanner:
    """Scans streams with Presidio's recognizers, and a model for names where there is one."""

    def __init__(self, scanner: Scanner, names: NameFinder | None) -> None:
        self._scanner = scanner
        self._names = names

    def scan(self, connection: PgConnection, stream: Stream, day: date) -> StreamScan:
        """Scan all record versions of a day.

        Raises AtlasError naming a recognizer or model that failed; no value is in its text.
        """
        fields: list[FieldScan] = []
        cut: list[str] = []
        with stream_values(connection, stream, (day, day)) as values:
            for field in values.fields:
                findings, ner = self._scan_field(field, stream)
                fields.append(FieldScan(findings, judge(findings, stream=stream.name, ner=ner)))
                if ner.model and ner.cut:
                    cut.append(f"{field_name(field.path)}: {ner}")
            return StreamScan(
                records=values.records,
                fields=tuple(fields),
                maps=values.maps,
                ner=f"NER: {self._names.model}" if self._names else str(NOT_ACTIVE),
                cut=tuple(cut),
            )

    def _scan_field(self, field: FieldValues, stream: Stream) -> tuple[FieldFindings, NerResult]:
        held: list[pl.DataFrame] = []
        chunks = _hold(field.chunks, held) if self._names else field.chunks
        findings = self._scanner.scan(field.path, chunks, context_of(field.path))
        if self._names is None:
            return findings, NOT_ACTIVE
        from atlas_dagster.pii.ner import wants_names

        if not wants_names(findings, stream=stream.name):
            return findings, NOT_ACTIVE
        read = self._names.find(row for chunk in held for row in chunk.iter_rows())
        return findings, replace(
            read, total_values=findings.distinct_values, total_rows=findings.rows
        )


def _hold(chunks: Iterator[pl.DataFrame], held: list[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Pass chunks on, and keep the first ones."""
    rows = 0
    for chunk in chunks:
        if rows < HELD_FOR_NER:
            held.append(chunk)
            rows += chunk.height
        yield chunk
