"""The checks of a stream as they can be made of its chart: of its columns, under its policy."""

from __future__ import annotations

from dataclasses import dataclass

from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.policy import StreamPolicy, charted_policy
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.pii_rules import Action
from atlas_dagster.quality.contract import Contract, load_contract
from atlas_dagster.quality.policed import PolicedChecks, police_checks
from atlas_dagster.quality.spec import ReferenceParameters, Rule
from atlas_dagster.rules import AtlasRules
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, table_exists


@dataclass(frozen=True)
class ChartedContract:
    """The contract of a stream, and what the policy that chart was built with leaves of it.

    ``charted`` is the stream with all columns that it ever had.
    """

    charted: Stream
    contract: Contract
    policed: PolicedChecks


def charted_contract(
    warehouse: PgConnection,
    settings: Settings,
    connection: Connection,
    rules: AtlasRules,
    stream: Stream,
) -> ChartedContract:
    """The contract of a stream of a connection, both as of the last sync.

    Raises ConfigError where the user's file cannot be read.
    """
    charted = registered_stream(warehouse, stream)
    contract = load_contract(settings, connection, rules, charted)
    referenced = {
        check.parameters.table
        for check in contract.checks
        if isinstance(check.parameters, ReferenceParameters)
    }
    others = {
        other.table_name: _by_column(other, charted_policy(warehouse, other.chart))
        for other in connection.streams
        if other.chart in referenced
    }
    actions = _actions(charted_policy(warehouse, stream.chart))
    policed = police_checks(charted, contract.checks, actions, others)
    return ChartedContract(charted, contract, policed)


def charted_mistakes(warehouse: PgConnection, made: ChartedContract) -> list[ConfigError]:
    """What PostgreSQL cannot parse of a user's checks; nothing where there is no chart yet."""
    chart, own = made.charted.chart, [c for c in made.policed.checks if c.rule is Rule.USER]
    if not own or not table_exists(warehouse, chart):
        return []
    from atlas_dagster.quality.sql_mistakes import sql_mistakes  # loads Soda

    return sql_mistakes(warehouse, chart, own)


def _actions(policy: StreamPolicy) -> dict[str, Action]:
    """What a policy does to whole fields."""
    return {field.path[0]: field.action for field in policy.fields if len(field.path) == 1}


def _by_column(stream: Stream, policy: StreamPolicy) -> dict[str, Action]:
    actions = _actions(policy)
    return {c.layer: actions[c.name] for c in stream.columns if c.name in actions}
