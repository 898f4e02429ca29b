"""Atlas on Dagster: Airbyte connections as assets, in layers that can be trusted."""
