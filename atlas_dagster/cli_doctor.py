"""`atlas doctor`: whether all that Atlas stands on is there and works."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from atlas_dagster.doctor.probes import Finding, Probe, Verdict, examine, wrong
from atlas_dagster.errors import AtlasError
from atlas_dagster.settings import Settings, load_settings

_WIDTH = len("connections")


@click.command()
@click.option(
    "--seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="How long each part may take.",
)
def doctor(seconds: float) -> None:
    """Look at PostgreSQL, Dagster, Airbyte, QALITA, connectors, files and this machine.

    Nothing is changed. Exit code 1 where something does not work.
    """
    has_failed = False
    for finding in examine(_probes(), seconds):
        has_failed = has_failed or finding.verdict is Verdict.FAIL
        click.echo(line(finding))
    if has_failed:
        sys.exit(1)


def line(finding: Finding) -> str:
    """A finding as one line, whatever its text."""
    text = " ".join(finding.text.split())
    return f"{finding.verdict.value:<4}  {finding.what:<{_WIDTH}}  {text}"


def _probes() -> list[Probe]:
    from atlas_dagster.doctor import machine

    try:
        settings = load_settings()
    except AtlasError as error:
        finding = wrong("settings", str(error))
        versions = Probe("versions", lambda: machine.look_at_versions(None, machine.requirements()))
        return [Probe("settings", lambda: iter([finding])), versions]
    return list(_all_probes(settings))


def _all_probes(settings: Settings) -> Iterator[Probe]:
    from atlas_dagster.doctor import database, files, machine, services

    airbyte = settings.airbyte
    yield Probe("versions", lambda: machine.look_at_versions(settings, machine.requirements()))
    yield Probe("config", lambda: files.look_at_files(settings))
    yield Probe("disk", lambda: machine.look_at_disks(settings))
    yield Probe("postgresql", lambda: database.look_at_postgres(settings))
    yield Probe("dagster", lambda: services.look_at_dagster(settings, os.environ))
    yield Probe("connector", lambda: machine.look_at_connectors(settings))
    if airbyte is not None:
        yield Probe("airbyte", lambda: services.look_at_airbyte(airbyte))
    yield Probe("qalita", lambda: services.look_at_qalita(settings))
