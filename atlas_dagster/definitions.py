"""The code location: what Dagster loads."""

from atlas_dagster.defs.code_location import build_code_location

defs = build_code_location()
