"""The checks that compare columns: instants in their order, references to sibling streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from atlas_dagster.catalog import Column, Stream
from atlas_dagster.json_schema import INSTANT_TYPES
from atlas_dagster.quality.check_names import column_check
from atlas_dagster.quality.column_rules import WARNS_AT_ANY
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    PairParameters,
    ReferenceParameters,
    Rule,
)
from atlas_dagster.quality.surroundings import Target, words

_LATER = {
    "created": ("updated", "modified", "changed", "deleted", "closed"),
    "create": ("update", "modify"),
    "inserted": ("updated", "deleted"),
    "start": ("end", "finish", "stop"),
    "started": ("ended", "finished", "stopped", "completed"),
    "starts": ("ends",),
    "begin": ("end",),
    "begins": ("ends",),
    "began": ("ended",),
    "from": ("to", "until", "till"),
    "since": ("until",),
    "opened": ("closed",),
    "open": ("close",),
    "ordered": ("shipped", "delivered"),
    "shipped": ("delivered",),
    "requested": ("approved", "completed"),
    "birth": ("death",),
    "issue": ("expiry", "expiration"),
    "issued": ("expired", "expires"),
    "checkin": ("checkout",),
    "arrival": ("departure",),
}
_EARLIER = {
    later: tuple(word for word, laters in _LATER.items() if later in laters)
    for laters in _LATER.values()
    for later in laters
}


def pair_checks(stream: Stream) -> Iterator[Check]:
    """Columns that are called as two ends of one time, of one type: each later with one earlier."""
    instants = [column for column in stream.columns if column.type in INSTANT_TYPES]
    by_words: dict[tuple[object, ...], Column] = {}
    for column in instants:
        by_words.setdefault((column.type, *words(column.name)), column)
    for later in instants:
        earlier = _earlier(later, by_words)
        if earlier:
            yield _pair(earlier, later)


def _earlier(later: Column, by_words: Mapping[tuple[object, ...], Column]) -> Column | None:
    spelled = words(later.name)
    for position, word in enumerate(spelled):
        for other in _EARLIER.get(word, ()):
            replaced = (later.type, *spelled[:position], other, *spelled[position + 1 :])
            if replaced in by_words:
                return by_words[replaced]
    return None


def _pair(earlier: Column, later: Column) -> Check:
    return Check(
        name=column_check(Rule.PAIR, earlier.layer, later.layer),
        rule=Rule.PAIR,
        dimension=Dimension.CONSISTENCY,
        columns=(earlier.layer, later.layer),
        description=f"{earlier.layer} is not after {later.layer}.",
        origin="the names of the columns",
        threshold=WARNS_AT_ANY,
        parameters=PairParameters(earlier.layer, later.layer),
    )


def reference_checks(stream: Stream, targets: Mapping[str, tuple[Target, ...]]) -> Iterator[Check]:
    """Columns that are called as the key of one record of another stream: ``user_id``."""
    for column in stream.columns:
        target = _target(stream, column, targets)
        if target:
            yield _reference(column, target)


def _target(
    stream: Stream, column: Column, targets: Mapping[str, tuple[Target, ...]]
) -> Target | None:
    """The one stream that is meant; one of the same namespace, where several are called so."""
    *referred, last = words(column.name) or ("",)
    if last != "id" or not referred:
        return None
    found = [
        target
        for target in targets.get(" ".join(referred), ())
        if target.stream != stream.slug and target.column.type is column.type
    ]
    near = [target for target in found if target.namespace == stream.namespace]
    chosen = near or found
    return chosen[0] if len(chosen) == 1 else None


def _reference(column: Column, target: Target) -> Check:
    return Check(
        name=column_check(Rule.REFERENCE, column.layer),
        rule=Rule.REFERENCE,
        dimension=Dimension.CONSISTENCY,
        columns=(column.layer,),
        description=f"{column.layer} is the {target.column.layer} of a record in {target.stream}.",
        origin="the names of the column and of the stream",
        threshold=WARNS_AT_ANY,
        parameters=ReferenceParameters(target.table, target.column.layer),
    )
