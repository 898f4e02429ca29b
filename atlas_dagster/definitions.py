"""The code location: what Dagster loads."""

from atlas_dagster.defs.repository import build_repository

defs = build_repository()
