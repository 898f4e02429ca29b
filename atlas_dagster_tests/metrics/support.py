"""A scrape, read as Prometheus reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from atlas_dagster.metrics.definitions import DefinitionsReader
from atlas_dagster.metrics.scrape import Scraper
from atlas_dagster.settings import load_settings

NOWHERE = Path(__file__).with_name("no-such-directory")

Samples = dict[tuple[str, ...], float]


def scraper(url: str, config_dir: Path = NOWHERE) -> Scraper:
    settings = replace(load_settings({}), config_dir=config_dir)
    return Scraper(url, DefinitionsReader(settings))


def scrape(url: str, config_dir: Path = NOWHERE) -> dict[str, Samples]:
    """Values by name, then by the values of labels, which stand in the order of their names."""
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(scraper(url, config_dir).scrape().decode()):
        for sample in family.samples:
            labels = tuple(sample.labels.values())
            found.setdefault(sample.name, {})[labels] = sample.value
        found.setdefault(family.name, {})
    return found
