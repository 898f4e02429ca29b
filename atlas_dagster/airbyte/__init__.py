"""Embedded Airbyte: connectors run here, landing tables as destination-postgres 3.x writes them."""
