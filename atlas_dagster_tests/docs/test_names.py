"""Names that the documentation uses are those of the code: variables, tables, paths, columns."""

from __future__ import annotations

import re

from atlas_dagster.demo import format_table
from atlas_dagster.webhook.app import PATH
from atlas_dagster_tests.docs.pages import all_pages, read_page
from atlas_dagster_tests.integration.project import REPOSITORY

TEXT = "\n".join(page.text for page in all_pages())
FOR_TESTS = {"ATLAS_TEST_EFFORT", "ATLAS_TEST_POSTGRES_URL", "ATLAS_TEST_PROGRAMS"}


def test_every_variable_is_one_of_the_example() -> None:
    example = (REPOSITORY / ".env.example").read_text("utf-8")
    named = set(re.findall(r"\b(?:ATLAS|AIRBYTE|QALITA)_[A-Z_]*[A-Z]\b", TEXT))
    known = set(re.findall(r"\b[A-Z][A-Z_]+\b", example))
    assert sorted(named - known - FOR_TESTS) == []


def test_every_table_of_ours_is_one_of_the_migrations() -> None:
    migrations = (REPOSITORY / "atlas_dagster" / "migrations").glob("*.sql")
    made = re.findall(
        r"create table pipeline[.](\w+)", "\n".join(m.read_text() for m in migrations)
    )
    named = set(re.findall(r"\bpipeline[.]([a-z_]+[a-z])(?![.*_])\b", TEXT))
    assert sorted(named - {*made, "schema_version"}) == []


def test_the_path_of_the_webhook_is_that_of_the_receiver() -> None:
    assert f"POST {PATH}/<token>" in read_page("docs/airbyte.md").text


def test_the_table_of_the_demo_has_the_columns_that_it_prints() -> None:
    (header,) = format_table([])
    shown = [block.text for block in read_page("docs/quick-start.md").blocks("text")]
    assert header.split() in [block.splitlines()[0].split() for block in shown]
