"""Checks under a policy for personal data: what is masked has no format, what is dropped none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from atlas_dagster.catalog import Stream
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.pii_rules import Action
from atlas_dagster.quality.spec import (
    Check,
    MissingParameters,
    Outcome,
    ReferenceParameters,
    Rule,
    SchemaParameters,
    Status,
    UserParameters,
)

Actions = Mapping[str, Action]

_DONE = {
    Action.MASK: "masked",
    Action.HASH: "hashed",
    Action.REDACT: "redacted",
    Action.DROP: "dropped",
}
_NEEDS_VALUES = (Rule.INVALID, Rule.TEXT_DAMAGE, Rule.FRESHNESS, Rule.PAIR)


@dataclass(frozen=True)
class PolicedChecks:
    """The checks that a policy leaves, and why each of the others is not checked."""

    checks: tuple[Check, ...]
    not_checked: tuple[Outcome, ...]


def police_checks(
    stream: Stream,
    checks: Sequence[Check],
    actions: Actions,
    others: Mapping[str, Actions] | None = None,
) -> PolicedChecks:
    """What can be checked of a stream under a policy.

    ``stream`` is as the source has it. ``actions`` are what is done to whole fields of it, by
    property; ``others`` the same of other streams of the connection, by table name and column.
    """
    changed = {
        column.layer: action
        for column in stream.columns
        if (action := actions.get(column.name, Action.KEEP)) in _DONE
    }
    left: list[Check] = []
    outcomes: list[Outcome] = []
    for check in checks:
        reason = _reason(check, changed, others or {})
        if reason is None:
            left.append(_adapted(check, changed))
        else:
            outcomes.append(Outcome(check, Status.NOT_CHECKED, message=reason))
    return PolicedChecks(tuple(left), tuple(outcomes))


def _reason(check: Check, changed: Actions, others: Mapping[str, Actions]) -> str | None:
    """Why a check cannot be made; None where it can."""
    if check.rule is Rule.SCHEMA:
        return None
    if isinstance(check.parameters, ReferenceParameters):
        return _reference_reason(check.columns[0], check.parameters, changed, others)
    for column in check.columns:
        action = changed.get(column)
        if action is not None and not _stands(check, action):
            return _told(column, action)
    return None


def _stands(check: Check, action: Action) -> bool:
    """Whether a check says the same of a field to which something is done: null stays null."""
    if action is Action.DROP or check.rule in _NEEDS_VALUES:
        return False
    parameters = check.parameters
    if not isinstance(parameters, UserParameters):
        return True
    names_values = any(
        key.startswith(("missing_", "valid_", "invalid_")) for key in parameters.body
    )
    keeps_apart = parameters.type == "duplicate" and action is Action.HASH
    return not names_values and (parameters.type == "missing" or keeps_apart)


def _reference_reason(
    column: str, target: ReferenceParameters, changed: Actions, others: Mapping[str, Actions]
) -> str | None:
    here = changed.get(column, Action.KEEP)
    there = others.get(target.table.name, {}).get(target.column, Action.KEEP)
    if here is there and here in (Action.KEEP, Action.HASH):
        return None
    if here is not Action.KEEP:
        return _told(column, here)
    return _told(f"{target.table}.{target.column}", there)


def _adapted(check: Check, changed: Actions) -> Check:
    parameters = check.parameters
    if isinstance(parameters, SchemaParameters):
        columns = tuple(
            replace(column, type=_type(column.type)) if column.name in changed else column
            for column in parameters.columns
            if changed.get(column.name) is not Action.DROP
        )
        names = tuple(column.name for column in columns)
        return replace(check, columns=names, parameters=SchemaParameters(columns))
    if isinstance(parameters, MissingParameters) and check.columns[0] in changed:
        return replace(
            check,
            description=check.description.replace("not empty and never", "never"),
            parameters=MissingParameters(empty_is_missing=False),
        )
    return check


def _type(declared: str) -> str:
    """The type of a column whose values are changed: a text, unless it is json."""
    return declared if declared == ColumnType.JSONB.value else ColumnType.TEXT.value


def _told(column: str, action: Action) -> str:
    return f"{column} is {_DONE[action]} on its way to chart"
