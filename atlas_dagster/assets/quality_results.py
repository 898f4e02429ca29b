"""Checks and what came of them, as Dagster shows them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import dagster as dg

from atlas_dagster.assets.quality_gate import GATE
from atlas_dagster.assets.quality_scan import FullScan
from atlas_dagster.counted import counted
from atlas_dagster.markdown import code, escaped, table
from atlas_dagster.quality.check_text import limit_text
from atlas_dagster.quality.gate import BLOCKING
from atlas_dagster.quality.score import Score, rounded_down, shown_score
from atlas_dagster.quality.spec import Check, Outcome, Rule, Status

SHOWN_FAILURES = 5


def check_spec(check: Check, asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """A check of an asset; its description tells the limits, and who set them."""
    warn, fail = check.threshold.warn, check.threshold.fail
    facts = [
        check.dimension.value,
        *([f"warns {limit_text(warn)}"] if warn else []),
        *([f"fails {limit_text(fail)}"] if fail else []),
        f"from {check.origin}",
    ]
    return dg.AssetCheckSpec(
        check.name, asset=asset, description=f"{check.description} ({'; '.join(facts)})".strip()
    )


def gate_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that blocks navigate, in the run in which it fails."""
    return dg.AssetCheckSpec(
        GATE,
        asset=asset,
        description="No check of chart fails; else navigate is not built. It carries the score.",
        blocking=True,
    )


def check_result(outcome: Outcome, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """What came of a check: what was not tested has not passed, and is no error."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.check.name,
        passed=outcome.status is Status.PASS,
        severity=_severity(outcome.status in BLOCKING),
        description=outcome.message,
        metadata={
            "atlas/status": outcome.status.value,
            "atlas/rule": outcome.check.rule.value,
            **_column(outcome.check),
            **_number("atlas/value", outcome.value),
            **_number("atlas/rows_tested", outcome.tested),
            **_number("atlas/rows_failed", outcome.failed),
            **_number("atlas/ratio", outcome.ratio),
        },
    )


def error_result(name: str, why: str, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """The result of a check that could not be made; never a pass."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=why,
        metadata={"atlas/status": Status.ERROR.value},
    )


def gate_result(
    found: FullScan, asset: dg.AssetKey, overridden: str | None, shown: Collection[str]
) -> dg.AssetCheckResult:
    """The score of a scan; it fails where a check does, and blocks unless a person overrides it.

    ``shown`` are the names of the asset checks that the loaded code location knows.
    """
    graded, kept = found.score, found.kept
    failed = [one for one in found.outcomes if one.status in BLOCKING]
    holds = bool(failed or kept.problem)
    told = [f"overridden: {overridden}"] if holds and overridden is not None else []
    if kept.problem:
        told.append(f"the results could not be kept: {kept.problem}")
    if kept.note:
        told.append(f"no sample of failed rows: {kept.note}")
    told += [f"{one.check.name}: {one.message}" for one in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        told.append(f"and {len(failed) - SHOWN_FAILURES} more")
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=GATE,
        passed=not holds,
        severity=_severity(overridden is None),
        description="; ".join(told or [score_text(graded), *_not_shown(found, shown)]),
        metadata={
            **_score("atlas/score", graded.overall),
            "atlas/coverage": graded.coverage,
            "atlas/is_graded": graded.is_graded,
            **{
                name: value
                for dimension, share in graded.dimensions.items()
                for name, value in _score(f"atlas/{dimension.value}", share).items()
            },
            "atlas/checks": len(found.outcomes),
            "atlas/checks_failed": len(failed),
            "atlas/not_checked": dg.MetadataValue.json(list(graded.not_checked)),
            "atlas/measured": dg.MetadataValue.md(_measured(found.outcomes)),
            "atlas/rows_scored": kept.scored,
            "atlas/failed_rows_kept": kept.sampled,
            **_number("atlas/scan_id", kept.scan_id),
        },
    )


def _not_shown(found: FullScan, shown: Collection[str]) -> list[str]:
    """How many checks the UI does not know yet, and from when on it does."""
    number = sum(
        (one.check.can_break or one.check.rule is Rule.FILE) and one.check.name not in shown
        for one in found.outcomes
    )
    are = "is" if number == 1 else "are"
    told = f"{counted(number, 'check')} {are} shown once the code location is reloaded"
    return [told] if number else []


def score_text(graded: Score) -> str:
    """A score in words, and how much of the stream it is of."""
    if graded.overall is None:
        return "nothing was tested: there is no score"
    text = f"score {shown_score(graded.overall)} of 100, coverage {graded.coverage:.2f}"
    return text if graded.is_graded else f"{text}: too little to say something of the whole"


def _measured(outcomes: Sequence[Outcome]) -> str:
    """The checks that have no limits, as a table: those are no asset checks."""
    only = [one for one in outcomes if not one.check.can_break and one.check.rule is not Rule.FILE]
    if not only:
        return ""
    return table(
        ("measured", "found"), [(code(one.check.name), escaped(one.message)) for one in only]
    )


def _column(check: Check) -> dict[str, str]:
    """The column that a check is about; none where it is about several, or the whole table."""
    return {"atlas/column": check.columns[0]} if len(check.columns) == 1 else {}


def _number(name: str, value: float | None) -> dict[str, Any]:
    """A number as metadata, which Dagster plots; none where there is none."""
    return {name: value} if value is not None and math.isfinite(value) else {}


def _score(name: str, score: float | None) -> dict[str, Any]:
    """A score as metadata, rounded down to two digits: the kept one is exact."""
    return {} if score is None else {name: rounded_down(score, 2)}


def _severity(is_error: bool) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN
