"""Every piece of Python that the documentation shows defines assets that load."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from atlas_dagster_tests.docs.pages import Block, all_pages

BLOCKS = [block for page in all_pages() for block in page.blocks("python")]


@pytest.mark.parametrize("block", BLOCKS, ids=[block.where for block in BLOCKS])
def test_python_defines_assets_that_load(block: Block) -> None:
    names: dict[str, Any] = {"__name__": "documented"}
    exec(compile(block.text, block.where, "exec"), names)
    assert any(isinstance(value, dg.AssetsDefinition) for value in names.values())
