"""Retention: its job and schedule, where a stream has a limit."""

from __future__ import annotations

import dagster as dg

from atlas_dagster.assets.retention import build_retention_job, build_retention_schedule
from atlas_dagster.rules import AtlasRules


def build_retention(rules: AtlasRules) -> dg.Definitions:
    """The job and schedule of retention; nothing where explore keeps all versions for ever."""
    limits = rules.retention_days()
    if not limits:
        return dg.Definitions()
    job = build_retention_job(limits)
    return dg.Definitions(jobs=[job], schedules=[build_retention_schedule(job)])
