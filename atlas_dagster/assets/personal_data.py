"""What is known of a stream's personal data, what is done to it, and how people are told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.policy import StreamPolicy
from atlas_dagster.layers.policy_decisions import FieldDecision, StreamDecision, decide_stream
from atlas_dagster.markdown import code, escaped, table
from atlas_dagster.pii.store import (
    StoredFailure,
    StoredVerdict,
    load_failures,
    load_verdicts,
)
from atlas_dagster.pii_rules import Action, Path, field_name
from atlas_dagster.rules import StreamRules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection


@dataclass(frozen=True)
class PersonalData:
    """The personal data of a stream as of all its scans, and what is done to it.

    ``failures``: values that a recognizer failed on may be personal too.
    """

    verdicts: Sequence[StoredVerdict]
    failures: Sequence[StoredFailure]
    decision: StreamDecision


def column_tags(
    verdicts: Iterable[StoredVerdict], policy: StreamPolicy
) -> dict[str, dict[str, str]]:
    """Tags of columns, by property: the surest entity of what one holds, and what is done to it.

    That is the strictest of what is done to the column or to a field within it, whether or not
    personal data was found there.
    """
    tags: dict[str, dict[str, str]] = {}
    for verdict in sorted(verdicts, key=lambda v: -v.confidence):
        tags.setdefault(verdict.path[0], {"pii": verdict.entity, "pii_policy": Action.KEEP.value})
    done: dict[str, list[Action]] = {}
    for one in policy.fields:
        done.setdefault(one.path[0], []).append(one.action)
    for column, actions in done.items():
        strictest = max(actions, key=lambda action: action.strictness)
        tags.setdefault(column, {})["pii_policy"] = strictest.value
    return tags


def load_personal_data(
    connection: PgConnection, stream: Stream, rules: StreamRules
) -> PersonalData:
    """Decide about a stream, given with all columns that it ever had.

    Raises ConfigError where the policy cannot be applied.
    """
    verdicts = load_verdicts(connection, stream.table_name)
    found: dict[Path, list[str]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.path, []).append(verdict.entity)
    key = rules.natural_key or stream.primary_key
    secret = load_settings().pii_hash_key
    decision = decide_stream(stream, key, rules.pii, found, secret)
    return PersonalData(verdicts, load_failures(connection, stream.table_name), decision)


def refuse_forbidden(stream: Stream, decision: StreamDecision) -> None:
    """Raise ConfigError where personal data that must not reach chart has been found."""
    if decision.refused:
        raise ConfigError(
            f"{stream.label}: personal data was found in {_listed(decision.refused)}, and the"
            " policy is to fail: choose what is done to it, in config/atlas.yaml under pii"
        )


def pii_check_result(data: PersonalData) -> dg.AssetCheckResult:
    """Warns of personal data that no rule names, and of values that a recognizer failed on.

    What the rules forbid is an error.
    """
    refused, unexpected = data.decision.refused, data.decision.unexpected
    told: list[str] = []
    if refused:
        told.append(f"{_listed(refused)}: chart is not built")
    elif unexpected:
        told.append(f"{_listed(unexpected)}; say in config/atlas.yaml what is done to it")
    if data.failures:
        told.append(f"not all could be looked for: {', '.join(map(str, data.failures))}")
    return dg.AssetCheckResult(
        check_name="no_unexpected_pii",
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if refused else dg.AssetCheckSeverity.WARN,
        description="; ".join(told),
        metadata={"atlas/unexpected_fields": len(unexpected)},
    )


def findings_table(
    data: PersonalData, samples: Mapping[tuple[Path, str], Collection[str]]
) -> dg.MetadataValue[Any]:
    """The personal data of a stream, a row a field and entity; samples are masked."""
    if not data.verdicts:
        return dg.MetadataValue.md("No personal data was found.")
    header = ("field", "holds", "of its values", "score", "confidence", "policy", "such as", "why")
    rows = [
        (
            code(field_name(verdict.path)),
            f"{verdict.entity}{_KINDS[verdict.kind]}",
            f"{verdict.share:.1%}",
            f"{verdict.mean_score:.2f}",
            f"{verdict.confidence:.2f}",
            data.decision.policy.action(verdict.path).value,
            " ".join(map(code, samples.get((verdict.path, verdict.entity), ()))),
            escaped("; ".join(verdict.evidence)),
        )
        for verdict in data.verdicts
    ]
    return dg.MetadataValue.md(table(header, rows))


_KINDS = {"values": "", "embedded": ", in text", "name": ", by its name"}


def _listed(fields: Iterable[FieldDecision]) -> str:
    return ", ".join(f"{field.name} ({', '.join(field.entities)})" for field in fields)
