"""Every error that the documentation quotes is one that the code raises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from atlas_dagster.qalita.settings import URL_NAMES
from atlas_dagster_tests.docs.pages import read_page
from atlas_dagster_tests.integration.project import REPOSITORY

PAGE = "docs/troubleshooting.md"
NAMES = {"QALITA_BASE_URL": URL_NAMES[0]}
"""Names that a text of the code takes from elsewhere."""


def _quoted() -> list[str]:
    """The first cells of all rows of tables that are a quotation."""
    rows = [re.match(r"\| `(?P<error>.+?)` \|", line) for _, line in read_page(PAGE).prose()]
    return [row["error"] for row in rows if row]


@cache
def _texts() -> str:
    """All texts of the package, a line each, `…` for what they are filled with."""
    files = (REPOSITORY / "atlas_dagster").rglob("*.py")
    return "\n".join(text for file in files for text in _texts_of(file.read_text("utf-8")))


def _texts_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            text = "".join(_part(value) for value in node.values).replace("\n", " ")
            yield re.sub("…+", "…", text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.replace("\n", " ")


def _part(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else "…"


@pytest.mark.parametrize("error", _quoted())
def test_a_quoted_error_is_one_of_the_code(error: str) -> None:
    for name in NAMES:
        error = error.replace(name, "…")
    assert error in _texts()


def test_there_are_errors_to_find_and_others_are_not_found() -> None:
    assert len(_quoted()) > 20
    assert "this sentence is of no error" not in _texts()
