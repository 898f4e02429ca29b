"""The SQL of explore, chart and navigate. No Dagster in here."""
