"""`atlas doctor`, as an operator types it."""

from __future__ import annotations

from click.testing import CliRunner

from atlas_dagster.cli_doctor import doctor


def run(*arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(doctor, arguments, catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def about(lines: list[str], what: str) -> list[str]:
    """The lines about one thing, without its name."""
    words = [each.split(maxsplit=2) for each in lines]
    return [f"{verdict} {text}" for verdict, name, text in words if name == what]
