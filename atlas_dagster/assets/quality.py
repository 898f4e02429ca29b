"""The quality checks of a stream: those of chart, with the gate, and those of navigate."""

from collections.abc import Generator, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import dagster as dg
import psycopg

from atlas_dagster.assets.layer_assets import (
    CHART_CHECKS,
    HISTORY_CHECKS,
    layer_key,
    layers_pool,
    step_name,
)
from atlas_dagster.assets.partitions import run_days
from atlas_dagster.assets.quality_events import log_evaluations
from atlas_dagster.assets.quality_gate import GATE, TO_OPEN, override_reason
from atlas_dagster.assets.quality_results import (
    check_result,
    check_spec,
    error_result,
    gate_result,
    gate_spec,
    score_text,
)
from atlas_dagster.assets.quality_scan import (
    FullScan,
    QualityRun,
    scan_all,
    scan_history,
    scan_some,
)
from atlas_dagster.assets.warehouse_resource import WarehouseResource
from atlas_dagster.catalog import Stream
from atlas_dagster.errors import AtlasError
from atlas_dagster.quality.contract import Contract
from atlas_dagster.quality.database_errors import sentence
from atlas_dagster.quality.engine import TIMEOUT
from atlas_dagster.quality.spec import Outcome
from atlas_dagster.rules import AtlasRules

AFTER_LAYERS = {"dagster/priority": "-1"}
"""Checks wait for the layers that can be built: they look at the chart of other streams too."""

GONE = "is not among the checks of the stream any longer: reload the code location"


def build_quality_checks(
    stream: Stream, contract: Contract, rules: AtlasRules
) -> list[dg.AssetChecksDefinition]:
    """The checks of a stream's contract that can warn or fail, and the gate.

    They are of the rows of the run's days; of all rows in a run that names none. A check can be
    run alone. The gate is about all of them, so it runs them all.
    """
    return [_chart_checks(stream, contract, rules), _history_checks(stream, contract, rules)]


@dataclass(frozen=True)
class _Selected:
    """The checks of an asset that a run makes, by name, in order."""

    asset: dg.AssetKey
    names: tuple[str, ...]


def _chart_checks(
    stream: Stream, contract: Contract, rules: AtlasRules
) -> dg.AssetChecksDefinition:
    asset = layer_key("chart", stream)
    checks = [check for check in contract.checks if check.layer == "chart" and check.can_break]
    file = [contract.file_check] if contract.file_check else []
    defined = frozenset(check.name for check in [*checks, *file])

    @dg.multi_asset_check(
        name=step_name(CHART_CHECKS, stream.connection, stream.slug),
        specs=[*(check_spec(check, asset) for check in [*checks, *file]), gate_spec(asset)],
        can_subset=True,
        pool=layers_pool(stream.connection),
        op_tags=AFTER_LAYERS,
    )
    def chart_checks(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
    ) -> Iterable[dg.AssetCheckResult]:
        yield from _check_chart(context, warehouse, stream, rules, defined)

    return chart_checks


def _history_checks(
    stream: Stream, contract: Contract, rules: AtlasRules
) -> dg.AssetChecksDefinition:
    asset = layer_key("navigate", stream)

    @dg.multi_asset_check(
        name=step_name(HISTORY_CHECKS, stream.connection, stream.slug),
        specs=[check_spec(check, asset) for check in contract.checks if check.layer == "navigate"],
        can_subset=True,
        pool=layers_pool(stream.connection),
    )
    def history_checks(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
    ) -> Iterable[dg.AssetCheckResult]:
        _check_history(context, warehouse, stream, rules)
        yield from ()  # nothing waits for them

    return history_checks


def _check_chart(
    context: dg.AssetCheckExecutionContext,
    warehouse: WarehouseResource,
    stream: Stream,
    rules: AtlasRules,
    defined: frozenset[str],
) -> Iterator[dg.AssetCheckResult]:
    selected = _selected(context, layer_key("chart", stream))
    outcomes: list[Outcome] = []
    full: FullScan | None = None
    trouble = _Trouble()
    with trouble.caught(), _quality_run(context, warehouse, stream, rules) as quality:
        if GATE in selected.names:
            full = scan_all(quality)
            outcomes = [*full.outcomes]
        else:
            outcomes = scan_some(quality, selected.names)
    if full:
        shown = _shown_checks(context, selected, defined)
        gate = gate_result(full, selected.asset, override_reason(context.run), shown)
    else:
        gate = error_result(GATE, trouble.why, selected.asset)
    others = [name for name in selected.names if name != GATE]
    log_evaluations(context, _results(selected.asset, others, outcomes, trouble.why))
    if GATE in selected.names:
        _log_gate(context, stream, gate, full)
        yield gate
        _refuse_navigate(stream, gate)


def _check_history(
    context: dg.AssetCheckExecutionContext,
    warehouse: WarehouseResource,
    stream: Stream,
    rules: AtlasRules,
) -> None:
    selected = _selected(context, layer_key("navigate", stream))
    outcomes: list[Outcome] = []
    trouble = _Trouble()
    with trouble.caught(), _quality_run(context, warehouse, stream, rules) as quality:
        outcomes, kept = scan_history(quality, selected.names)
        if kept.problem:
            context.log.warning(f"{stream.label}: the results could not be kept: {kept.problem}")
    log_evaluations(context, _results(selected.asset, selected.names, outcomes, trouble.why))


class _Trouble:
    """Why checks could not be made at all; no sentence where they could."""

    why = ""

    @contextmanager
    def caught(self) -> Generator[None]:
        """Take errors of Atlas and of PostgreSQL for a reason, in a sentence."""
        try:
            yield
        except AtlasError as error:
            self.why = str(error)
        except psycopg.Error as error:
            self.why = sentence(error, TIMEOUT)


def _selected(context: dg.AssetCheckExecutionContext, asset: dg.AssetKey) -> _Selected:
    chosen = {key.name for key in context.selected_asset_check_keys}
    return _Selected(asset, tuple(s.name for s in context.check_specs if s.name in chosen))


def _shown_checks(
    context: dg.AssetCheckExecutionContext, selected: _Selected, defined: frozenset[str]
) -> Set[str]:
    """The checks of an asset that the loaded code location knows: it has planned the run.

    Where some were chosen the plan has no others, and those ``defined`` in this process are taken.
    """
    plan = context.run.execution_plan_snapshot_id
    if plan is None or not defined.issubset(selected.names):
        return defined
    planned = _planned_checks(context.instance, plan)
    return {key.name for key in planned if key.asset_key == selected.asset}


@lru_cache(maxsize=1)  # the checks of all streams of a run ask
def _planned_checks(instance: dg.DagsterInstance, plan: str) -> Set[dg.AssetCheckKey]:
    return instance.get_execution_plan_snapshot(plan).asset_check_keys


@contextmanager
def _quality_run(
    context: dg.AssetCheckExecutionContext,
    warehouse: WarehouseResource,
    stream: Stream,
    rules: AtlasRules,
) -> Generator[QualityRun]:
    keys = run_days(context.run)
    with warehouse.session() as connection:
        yield QualityRun(connection, stream, rules, keys, context.run.run_id)


def _results(
    asset: dg.AssetKey, names: Iterable[str], outcomes: Iterable[Outcome], why: str
) -> Iterator[dg.AssetCheckResult]:
    """A result for every check that was asked for; ``why`` is for those that have no outcome."""
    found = {outcome.check.name: outcome for outcome in outcomes}
    for name in names:
        if name in found:
            yield check_result(found[name], asset)
        else:
            yield error_result(name, why or f"{name} {GONE}", asset)


def _log_gate(
    context: dg.AssetCheckExecutionContext,
    stream: Stream,
    gate: dg.AssetCheckResult,
    full: FullScan | None,
) -> None:
    """Say the score, and why a person had to override the gate, where one did."""
    if full:
        context.log.info(f"{stream.label}: {len(full.outcomes)} checks, {score_text(full.score)}")
    if not gate.passed and not _blocks(gate):
        context.log.warning(f"{stream.label}: {GATE}: {gate.description}")


def _refuse_navigate(stream: Stream, gate: dg.AssetCheckResult) -> None:
    """Fail where the gate blocks: Dagster would do so by itself, and say only that it does."""
    if _blocks(gate):
        told = f"{stream.label}: {GATE}: {gate.description}. Navigate is not built. {TO_OPEN}"
        raise dg.Failure(told, allow_retries=False)


def _blocks(gate: dg.AssetCheckResult) -> bool:
    return not gate.passed and gate.severity is dg.AssetCheckSeverity.ERROR
