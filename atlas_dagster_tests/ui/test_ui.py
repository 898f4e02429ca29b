"""Dagster's UI as the people of a connection use it: by looking and clicking, in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from atlas_dagster_tests.integration.project import day
from atlas_dagster_tests.ui.conftest import Served
from atlas_dagster_tests.ui.pages import PATIENCE_MS, Dagster

pytestmark = pytest.mark.slow


def test_a_connection_is_materialized_by_clicking(
    dagster: Dagster, shop_run: str, served: Served
) -> None:
    dagster.open_graph("shop")
    expect(dagster.assets_in_graph("people")).to_have_count(5, timeout=PATIENCE_MS)
    rows = served.project.rows("select id from navigate.shop__people order by id")
    assert rows == [(0,), (1,), (2,), (3,)]


def test_a_backfill_of_two_days_is_launched_by_clicking(
    dagster: Dagster, shop_backfill: str
) -> None:
    dagster.page.goto(shop_backfill)
    dagster.see("2 partitions")
    dagster.see("shop_layers")


def test_a_materialization_tells_what_it_came_to(dagster: Dagster, shop_run: str) -> None:
    dagster.open_events("navigate", "shop", "people")
    dagster.see("shop/people has 4 current records, 4 segments.")
    dagster.see("atlas/new_keys")
    dagster.open_events("airbyte", "shop", "people")
    dagster.see("Job 1 succeeded in")


def test_an_asset_says_what_it_is_and_plots_its_numbers(dagster: Dagster, shop_run: str) -> None:
    dagster.open_asset("navigate", "shop", "people")
    dagster.see("The history of shop/people, SCD Type 2")
    dagster.see("navigate.shop__people_current")
    dagster.see("pii: EMAIL_ADDRESS")
    dagster.plots()
    dagster.see("dagster/row_count")
    dagster.see("atlas/quality_score")


def test_checks_say_what_they_found(dagster: Dagster, shop_run: str) -> None:
    dagster.open_check("quality_gate", "chart", "shop", "people")
    dagster.see("row_count")
    dagster.see(re.compile("score .* of 100, coverage"))


def test_a_closed_gate_says_why_and_what_to_do(dagster: Dagster) -> None:
    dagster.open_graph("crm")
    dagster.materialize_all()
    dagster.wait_for_run("Failure")
    dagster.see("crm/people: quality_gate: row_count: 4 rows; less than 100 fails. Navigate is not")
    dagster.see("give the run the tag atlas/override_gate with the reason")


def test_a_tick_that_does_nothing_says_why(dagster: Dagster) -> None:
    dagster.open_sensor("adapter_syncs")
    dagster.page.get_by_role("button", name="0 runs requested").first.click(timeout=PATIENCE_MS)
    dagster.see("nothing new")


def test_a_backfill_is_watched_until_it_has_built_its_days(
    dagster: Dagster, shop_backfill: str, served: Served
) -> None:
    dagster.page.goto(shop_backfill)
    dagster.wait_for_backfill()
    built = served.project.rows(
        "select distinct partition from public.event_logs"
        " where dagster_event_type = 'ASSET_MATERIALIZATION'"
        ' and asset_key = \'["navigate", "shop", "people"]\''
    )
    assert {row[0] for row in built} == {day(1), day()}
