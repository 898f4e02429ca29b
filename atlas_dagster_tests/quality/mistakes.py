"""A file of checks with a mistake in it, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.contract import Contract, load_contracts, refuse_mistakes
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.quality.catalogs import (
    INSTANT,
    INTEGER,
    MAYBE,
    connection,
    rules,
    stream,
)

USERS = stream(
    {"id": INTEGER, "email": {**MAYBE, "format": "email"}, "age": INTEGER, "at": INSTANT},
    cursor=["at"],
)
ORDERS = stream({"id": INTEGER}, name="orders")
FILE = "config/checks/crm/users.yml"
CHECK = "columns[0].checks[0]"


def contract_of(text: str) -> Contract:
    """The contract of a stream whose file of checks, under the working directory, says this."""
    file = Path(FILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return load_contracts(load_settings({}), connection(USERS, ORDERS), rules("0 * * * *"))["users"]


def assert_refused(text: str, message: str) -> None:
    """The file is refused, and what is said of it begins with file, line, key and reason."""
    with pytest.raises(ConfigError) as raised:
        refuse_mistakes(contract_of(text))
    assert str(raised.value).startswith(f"{FILE}:{message}")


def column(*lines: str, name: str = "email") -> str:
    """A column whose checks are these lines, from line 4 on."""
    body = "".join(f"      {line}\n" for line in lines)
    return f"columns:\n  - name: {name}\n    checks:\n{body}"


def table(*lines: str) -> str:
    """Checks of the table, from line 2 on."""
    return "checks:\n" + "".join(f"  {line}\n" for line in lines)


def threshold(*lines: str, kind: str = "row_count") -> str:
    """A check whose threshold (line 3) is these lines, from line 4 on."""
    return table(f"- {kind}:", "    threshold:", *(f"      {line}" for line in lines))
