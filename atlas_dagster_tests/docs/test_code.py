"""Every query that the documentation shows runs, and every piece of Python."""

from __future__ import annotations

from typing import Any

import dagster as dg
import psycopg
import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster_tests.docs.pages import Block, all_pages
from atlas_dagster_tests.docs.shell import Shell

QUERIES = [block for page in all_pages() for block in page.blocks("sql")]
PYTHON = [block for page in all_pages() for block in page.blocks("python")]


@pytest.mark.slow
def test_the_queries_of_the_pages_run(shell: Shell) -> None:
    url = embedded_postgres.start(shell.root / ".atlas")
    with psycopg.connect(url, autocommit=True) as connection:
        for block in QUERIES:
            for query in filter(None, map(str.strip, block.text.split(";\n"))):
                _execute(connection, block, shell.now(query))


def _execute(connection: psycopg.Connection, block: Block, query: str) -> None:
    try:
        connection.execute(query.encode()).fetchall()
    except psycopg.Error as error:
        raise AssertionError(f"{block.where}: {error}") from None


@pytest.mark.parametrize("block", PYTHON, ids=[block.where for block in PYTHON])
def test_python_defines_assets_that_load(block: Block) -> None:
    names: dict[str, Any] = {"__name__": "documented"}
    exec(compile(block.text, block.where, "exec"), names)
    assets = [value for value in names.values() if isinstance(value, dg.AssetsDefinition)]
    assert assets
