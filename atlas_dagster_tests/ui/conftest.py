"""One instance as `atlas dev` starts it, and one browser, for all tests of the UI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from atlas_dagster_tests.airbyte.scripted import Json, record, state, table
from atlas_dagster_tests.conftest import new_database
from atlas_dagster_tests.integration.project import Project, connection, day, noon
from atlas_dagster_tests.programs import program
from atlas_dagster_tests.ui.browser import HEIGHT, WIDTH, running_browser
from atlas_dagster_tests.ui.pages import PATIENCE_MS, Dagster
from atlas_dagster_tests.ui.serving import serving

PEOPLE = table("people", {"id": {"type": "integer"}, "email": {"type": "string"}})


@dataclass(frozen=True)
class Served:
    """A project and the URL of its UI."""

    project: Project
    url: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser(program("chromium", "chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def served(
    browser: Browser,  # without one nothing is started
    postgres: str,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """A project of two connections: `shop` is well, the check of `crm` does not let it pass."""
    root = tmp_path_factory.mktemp("ui")
    with new_database(postgres, template_database) as warehouse_url:
        project = Project(root, warehouse_url, {"ATLAS_WEBHOOK_TOKEN": "a-token-of-some-length"})
        project.copy_dagster_files()
        project.connect({name: connection(name, ["people"]) for name in ("shop", "crm")})
        for name in ("shop", "crm"):
            project.install(name, PEOPLE).say(*people(), state("people", 4))
        checks = root / "config" / "checks" / "crm" / "people.yml"
        checks.parent.mkdir(parents=True)
        checks.write_text("override: {row_count: {fail: 100}}\n")
        with serving(project) as url:
            yield Served(project, url)


@pytest.fixture(scope="module")
def dagster(browser: Browser, served: Served) -> Dagster:
    """The UI, in one page: another would load all of it again."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_MS)
    return Dagster(page, served.url)


@pytest.fixture(scope="module")
def shop_run(dagster: Dagster) -> str:
    """The run of the connection `shop`, started in its graph, for today; it has succeeded."""
    dagster.open_graph("shop")
    dagster.materialize_all()
    dagster.wait_for_run("Success")
    return dagster.page.url


@pytest.fixture(scope="module")
def shop_backfill(dagster: Dagster, shop_run: str) -> str:
    """A backfill of the layers of `shop` of two days, on its way."""
    dagster.backfill("shop_layers", day(1), day())
    dagster.page.wait_for_url("**/runs/b/*")
    return dagster.page.url


def people() -> list[Json]:
    """Records of today."""
    return [
        record("people", {"id": i, "email": f"{name}@example.com"}, at=noon(day()))
        for i, name in enumerate(("anna", "ben", "cem", "dora"))
    ]
