"""The pii asset of a stream: an inspection of explore, before chart is written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from atlas_dagster.assets.layer_assets import build_layer_asset, layer_key
from atlas_dagster.assets.partitions import day_range
from atlas_dagster.assets.personal_data import (
    findings_table,
    load_personal_data,
    pii_check_result,
)
from atlas_dagster.catalog import Stream
from atlas_dagster.counted import counted
from atlas_dagster.errors import WarehouseError
from atlas_dagster.pii.digest import recognizers_digest
from atlas_dagster.pii.store import StoredFailure, save_scan, unscanned_days
from atlas_dagster.pii_rules import Path
from atlas_dagster.rules import StreamRules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, table_exists

if TYPE_CHECKING:
    from atlas_dagster.pii.stream_scan import StreamScan


def build_pii_asset(
    stream: Stream, rules: StreamRules, owners: Sequence[str]
) -> dg.AssetsDefinition:
    """What of a stream is personal, by Presidio over every value of every field."""
    return build_layer_asset(
        "pii",
        stream,
        partial(materialize_pii, rules=rules),
        upstream=["explore"],
        owners=owners,
        details=f"They are read from `{stream.explore}`; `config/atlas.yaml` says what is done to"
        " what is found.",
        check_specs=[pii_check(stream)],
    )


def pii_check(stream: Stream) -> dg.AssetCheckSpec:
    """The check that rules say what happens to all personal data that was found."""
    return dg.AssetCheckSpec(
        "no_unexpected_pii",
        asset=layer_key("pii", stream),
        description="Rules in config/atlas.yaml say what happens to all personal data found.",
    )


def materialize_pii(
    context: dg.AssetExecutionContext,
    connection: PgConnection,
    stream: Stream,
    rules: StreamRules,
) -> dg.MaterializeResult[Any]:
    """Scan the run's days, those of them that were not scanned before."""
    if not table_exists(connection, stream.explore):
        raise WarehouseError(f"{stream.label}: explore is empty; materialize it first")
    scans = _scan_days(context, connection, stream)
    data = load_personal_data(connection, stream, rules)
    check = pii_check_result(data)
    if not check.passed:
        context.log.warning(f"{stream.label}: personal data: {check.description}")
    return dg.MaterializeResult(
        metadata={
            "atlas/pii": findings_table(data, _samples(scans)),
            "atlas/pii_fields": len({verdict.path for verdict in data.verdicts}),
            "atlas/records_scanned": sum(scan.records for scan in scans),
            "atlas/days_scanned": len(scans),
            **_failures(data.failures),
            **(_told_of(scans[-1]) if scans else {}),
        },
        check_results=[check],
    )


def _scan_days(
    context: dg.AssetExecutionContext, connection: PgConnection, stream: Stream
) -> list[StreamScan]:
    settings = load_settings()
    table = stream.table_name
    recognizers = recognizers_digest(settings.recognizers_file, settings.pii_spacy_model)
    days = unscanned_days(connection, table, day_range(context), recognizers)
    if not days:
        context.log.info(f"{stream.label}: nothing to scan that was not scanned before")
        return []
    from atlas_dagster.pii.stream_scan import load_scanner

    scanner = load_scanner(settings.recognizers_file, settings.pii_spacy_model, recognizers)
    scans: list[StreamScan] = []
    for unscanned in days:
        scan = scanner.scan(connection, stream, unscanned.day)
        save_scan(
            connection,
            table,
            unscanned,
            scan.fields,
            recognizers=recognizers,
            result=scan.result,
            run_id=context.run.run_id,
        )
        told = sum(bool(field.verdicts) for field in scan.fields)
        context.log.info(
            f"{stream.label}: {unscanned.day}: {counted(scan.records, 'record version')},"
            f" {counted(len(scan.fields), 'field')}, {told:,} with personal data"
        )
        scans.append(scan)
    return scans


def _told_of(scan: StreamScan) -> dict[str, Any]:
    """What a person should know of a scan; of most there is nothing cut, and no map."""
    return {
        "atlas/ner": scan.ner,
        **({"atlas/ner_cut": list(scan.cut)} if scan.cut else {}),
        **({"atlas/maps": scan.map_names} if scan.maps else {}),
    }


def _failures(failures: Sequence[StoredFailure]) -> dict[str, Any]:
    """Which values a recognizer says nothing of; most have none."""
    return {"atlas/recognizer_failures": list(map(str, failures))} if failures else {}


def _samples(scans: Sequence[StreamScan]) -> dict[tuple[Path, str], list[str]]:
    """Masked samples by field and entity, of the newest day that has some."""
    samples: dict[tuple[Path, str], list[str]] = {}
    for scan in scans:
        for field in scan.fields:
            for sample in field.findings.samples:
                found = samples.setdefault((field.findings.path, sample.entity), [])
                if sample.masked not in found:
                    found.append(sample.masked)
    return {key: found[-3:] for key, found in samples.items()}
