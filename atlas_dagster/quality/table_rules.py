"""The checks of a stream as a whole: rows, schema, keys, losses on the way, age, history."""

from __future__ import annotations

from collections.abc import Iterator

from atlas_dagster.catalog import Column, Stream, SyncMode, Table
from atlas_dagster.json_limits import Number
from atlas_dagster.json_schema import INSTANT_TYPES, ColumnType
from atlas_dagster.quality.column_rules import FAILS_AT_ANY, MEASURED_ONLY, WARNS_AT_ANY
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    DuplicateParameters,
    ExpectedColumn,
    FreshnessParameters,
    HistoryParameters,
    HistoryRule,
    Limit,
    MissingParameters,
    NoParameters,
    Operator,
    RecordCountParameters,
    RowCountParameters,
    Rule,
    SchemaParameters,
    Threshold,
    Unit,
)
from atlas_dagster.quality.surroundings import Surroundings

KEY_COLUMN = "_atlas_natural_key"
EXTRACTED_AT = "_airbyte_extracted_at"

_DAY_SECONDS = 86400
_TAKES_ANY = (ColumnType.TEXT, ColumnType.JSONB)
_CDC_SEQUENCES = ("_ab_cdc_lsn", "_ab_cdc_cursor")
_LOSSES = Threshold(warn=Limit(Operator.GT, 0), fail=Limit(Operator.GT, 1, Unit.PERCENT))

_HISTORY = {
    HistoryRule.ONE_CURRENT: "A key has at most one current segment.",
    HistoryRule.NO_OVERLAP: "The segments of a key do not overlap.",
    HistoryRule.FROM_BEFORE_TO: "Every segment begins before it ends.",
}


def table_checks(stream: Stream, around: Surroundings) -> Iterator[Check]:
    """The checks of a stream's chart that are not about the values of a column."""
    yield _row_count(stream)
    if stream.columns:
        yield _schema(stream)
    if around.key:
        yield _duplicate_key(stream, around)
    if any(len(path) > 1 for path in around.key):
        yield _missing_key(around)
    if any(column.type not in _TAKES_ANY for column in stream.columns):
        yield _cast_loss()
    yield _record_count(stream)
    yield _fresh_sync(stream, around.every_seconds)
    cursor = stream.column(stream.cursor[0]) if len(stream.cursor) == 1 else None
    if cursor and cursor.type in INSTANT_TYPES:
        yield _fresh_cursor(cursor, around.every_seconds)


def history_checks(stream: Stream) -> Iterator[Check]:
    """What must hold of a stream's navigate."""
    for rule, description in _HISTORY.items():
        yield Check(
            name=f"history_{rule.value}",
            rule=Rule.HISTORY,
            dimension=Dimension.CONSISTENCY,
            columns=(KEY_COLUMN, "_atlas_valid_from", "_atlas_valid_to"),
            description=description,
            origin="the rules of history",
            threshold=FAILS_AT_ANY,
            parameters=HistoryParameters(rule, Table("navigate", stream.table_name)),
        )


def _row_count(stream: Stream) -> Check:
    of_all_days = stream.sync_mode is SyncMode.INCREMENTAL
    return Check(
        name="row_count",
        rule=Rule.ROW_COUNT,
        dimension=Dimension.COMPLETENESS,
        columns=(),
        description="There are rows, of whatever day." if of_all_days else "There are rows.",
        origin="every stream",
        threshold=Threshold(fail=Limit(Operator.LT, 1)),
        parameters=RowCountParameters(of_all_days),
    )


def _schema(stream: Stream) -> Check:
    columns = tuple(ExpectedColumn(c.layer, c.type.value) for c in stream.columns)
    return Check(
        name="schema",
        rule=Rule.SCHEMA,
        dimension=Dimension.VALIDITY,
        columns=tuple(column.name for column in columns),
        description="Every column that the source declares is there, of its type.",
        origin="the source's schema",
        threshold=FAILS_AT_ANY,
        parameters=SchemaParameters(columns),
    )


def _duplicate_key(stream: Stream, around: Surroundings) -> Check:
    """A full refresh has a key once; of what changed, versions of one instant have no order."""
    if stream.sync_mode is SyncMode.FULL_REFRESH:
        within, threshold = ("_atlas_sync_id",), FAILS_AT_ANY
        description = "No key has two versions in one sync."
    else:
        sequenced = any(stream.column(name) for name in _CDC_SEQUENCES)
        within = ("_atlas_instant", "_atlas_sequence") if sequenced else ("_atlas_instant",)
        threshold = WARNS_AT_ANY
        description = "No key has two versions at one instant."
    return Check(
        name="duplicate_key",
        rule=Rule.DUPLICATE,
        dimension=Dimension.UNIQUENESS,
        columns=(KEY_COLUMN,),
        description=description,
        origin=around.key_origin,
        threshold=threshold,
        parameters=DuplicateParameters(within, repeats_are_one=True),
    )


def _missing_key(around: Surroundings) -> Check:
    return Check(
        name="missing_key",
        rule=Rule.MISSING,
        dimension=Dimension.COMPLETENESS,
        columns=(KEY_COLUMN,),
        description="Every record has a key.",
        origin=around.key_origin,
        threshold=FAILS_AT_ANY,
        parameters=MissingParameters(),
    )


def _cast_loss() -> Check:
    return Check(
        name="cast_loss",
        rule=Rule.CAST_LOSS,
        dimension=Dimension.ACCURACY,
        columns=("_atlas_errors",),
        description="Every value fits the type of its column.",
        origin="every stream",
        threshold=_LOSSES,
        parameters=NoParameters(),
    )


def _record_count(stream: Stream) -> Check:
    is_exact = not stream.destination_mode.dedups
    return Check(
        name="record_count",
        rule=Rule.RECORD_COUNT,
        dimension=Dimension.ACCURACY,
        columns=(),
        description="Every record that Airbyte committed is in explore."
        if is_exact
        else "Of what Airbyte committed there are records in explore.",
        origin="Airbyte's count",
        threshold=_LOSSES,
        parameters=RecordCountParameters(
            connection_id=stream.connection_id,
            namespace=stream.namespace or "",
            name=stream.name,
            explore=Table("explore", stream.table_name),
            is_exact=is_exact,
        ),
    )


def _fresh_sync(stream: Stream, every: int | None) -> Check:
    incremental = stream.sync_mode is SyncMode.INCREMENTAL
    threshold = MEASURED_ONLY
    if every is not None:
        threshold = Threshold(warn=_older(1.5 * every), fail=_older(3 * every))
    return Check(
        name="fresh_sync",
        rule=Rule.FRESHNESS,
        dimension=Dimension.TIMELINESS,
        columns=(EXTRACTED_AT,),
        description="The last sync is not longer ago than its schedule lets expect."
        if every is not None
        else "How long ago the last sync was.",
        origin="the schedule of the connection" if every is not None else "every stream",
        threshold=threshold,
        parameters=FreshnessParameters(or_of_sync=incremental),
    )


def _fresh_cursor(cursor: Column, every: int | None) -> Check:
    """Warns at most: a source in which nothing happens is no error."""
    threshold = MEASURED_ONLY
    if every is not None:
        a_day = _DAY_SECONDS if cursor.type is ColumnType.DATE else 0
        threshold = Threshold(warn=_older(2 * every + a_day))
    return Check(
        name="fresh_cursor",
        rule=Rule.FRESHNESS,
        dimension=Dimension.TIMELINESS,
        columns=(cursor.layer,),
        description=f"How old the newest {cursor.layer} is.",
        origin="the stream's cursor",
        threshold=threshold,
        parameters=FreshnessParameters(),
    )


def _older(seconds: Number) -> Limit:
    return Limit(Operator.GT, seconds, Unit.SECONDS)
