"""From what was found in a stream, and what the rules say, to what is done to its fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from atlas_dagster.catalog import Stream
from atlas_dagster.layers.policy import FieldPolicy, StreamPolicy, stream_policy
from atlas_dagster.pii_rules import Action, Decision, Path, PiiPolicy, field_name, field_path


@dataclass(frozen=True)
class FieldDecision:
    """A field that holds personal data, or that a rule names, and what is done to it."""

    path: Path
    entities: tuple[str, ...]
    action: Action
    is_expected: bool

    @property
    def name(self) -> str:
        return field_name(self.path)


@dataclass(frozen=True)
class StreamDecision:
    """What is done to a stream: its policy, and the fields it comes from."""

    policy: StreamPolicy
    fields: tuple[FieldDecision, ...]

    @property
    def unexpected(self) -> tuple[FieldDecision, ...]:
        """Fields in which personal data was found that no rule names."""
        return tuple(field for field in self.fields if not field.is_expected)

    @property
    def refused(self) -> tuple[FieldDecision, ...]:
        """Fields whose personal data must not reach chart at all."""
        return tuple(field for field in self.fields if field.action is Action.FAIL)


def decide_stream(
    stream: Stream,
    key: Collection[Path],
    rules: PiiPolicy,
    found: Mapping[Path, Collection[str]],
    secret: str | None,
) -> StreamDecision:
    """What is done to each field, given the entities that were found in it.

    A part of the natural ``key`` for which nobody chose is hashed where others would be changed:
    keys must stay apart. Raises ConfigError where a field is to be hashed and ``secret`` is None.
    """
    named = {named_path(stream, name): name for name in rules.columns}
    paths = sorted({*found, *named})
    fields = tuple(
        _decide(path, named.get(path) or field_name(path), key, rules, found.get(path, ()))
        for path in paths
    )
    acted = (f for f in fields if f.action not in (Action.KEEP, Action.FAIL))
    policy = stream_policy((FieldPolicy(f.path, f.action) for f in acted), secret)
    return StreamDecision(policy, fields)


def _decide(
    path: Path, name: str, key: Collection[Path], rules: PiiPolicy, entities: Collection[str]
) -> FieldDecision:
    decision = rules.decide(name, entities)
    if path in key and not decision.is_expected:
        decision = _keeping_apart(decision)
    # A rule that names a field in which nothing is found is not broken by what is not there.
    action = Action.KEEP if decision.action is Action.FAIL and not entities else decision.action
    return FieldDecision(path, tuple(entities), action, decision.is_expected)


def _keeping_apart(decision: Decision) -> Decision:
    changes = decision.action in (Action.MASK, Action.REDACT, Action.DROP)
    return Decision(Action.HASH, is_expected=False) if changes else decision


def named_path(stream: Stream, name: str) -> Path:
    """The path of a rule's field; a column may have dots in its name."""
    return (name,) if stream.column(name) else field_path(name)
