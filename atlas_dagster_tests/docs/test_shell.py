"""Every command and query of the documentation is run, or listed with the reason."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psycopg
import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster.qalita.sandbox.app import API_TOKEN
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream
from atlas_dagster_tests.docs.not_run import NOT_RUN
from atlas_dagster_tests.docs.pages import Block, Page, all_pages
from atlas_dagster_tests.docs.shell import (
    LANGUAGES,
    Command,
    Shell,
    commands,
    is_printed,
    wait_until_healthy,
)
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.integration.project import REPOSITORY
from atlas_dagster_tests.ports import free_port

SERVERS = {
    "atlas webhook": ("", "http://127.0.0.1:8010/healthz"),
    "atlas qalita sandbox": (" --port={port}", "http://127.0.0.1:3080/"),
}
"""What goes on until it is stopped: options for a port that is free, and what answers with 200.

It runs while the other commands of its page are run.
"""

FAILS = {"atlas checks show faker/purchases": 1}
"""Commands that a page shows failing, and with which exit code."""

TYPED = "ann7@example.com\ny\n"
"""What a person types where a command asks: a value that is looked for, and yes."""

WEBHOOK_TOKEN = "a-token-of-the-documentation"
PROGRAMS = sorted({re.findall(r"\w[\w-]*", command)[0] for command in NOT_RUN} | {"atlas", "psql"})
PAGES = [page for page in all_pages() if page.blocks(*LANGUAGES)]
COMMANDS = [each for page in PAGES for block in page.blocks(*LANGUAGES) for each in commands(block)]


def test_every_list_is_about_commands_that_are_there() -> None:
    there = {command.text for command in COMMANDS}
    assert {*NOT_RUN, *SERVERS, *FAILS} - there == set()


def test_no_command_hides_in_another_block() -> None:
    indented = [
        f"{page.name}:{number}"
        for page in all_pages()
        for number, line in page.prose()
        if line.startswith("    ")
    ]
    shown = [
        block.where
        for page in all_pages()
        for block in page.blocks("text")
        if re.search(rf"^(?:{'|'.join(PROGRAMS)}) ", block.text, re.MULTILINE)
    ]
    assert [*indented, *shown] == []


def test_every_block_says_what_it_is() -> None:
    known = {*LANGUAGES, "yaml", "json", "sql", "python", "dotenv", "text"}
    others = [b.where for page in all_pages() for b in page.blocks() if b.language not in known]
    assert others == []


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    asked = {c.text.split()[1] for c in COMMANDS if c.text.startswith("make ")}
    assert asked - targets == set()


@pytest.mark.slow
def test_commands_do_what_the_pages_say_and_queries_run(shell: Shell) -> None:
    """One test for all pages, since they share a project, which is dear."""
    failures = [failure for page in all_pages() for failure in _failures(shell, page)]
    assert not failures, "\n\n".join(failures)


def _failures(shell: Shell, page: Page) -> Iterator[str]:
    """What goes wrong on a page whose blocks are followed from the first to the last one."""
    shown = [command for block in page.blocks(*LANGUAGES) for command in commands(block)]
    with _servers(shell, shown) as around:
        for block in page.blocks():
            if block.language in LANGUAGES:
                run = [c for c in commands(block) if c.text not in {*SERVERS, *NOT_RUN}]
                yield from filter(None, (_failure(around, command) for command in run))
            elif block.language == "sql":
                yield from filter(None, (_refusal(around, block.where, q) for q in _queries(block)))
            else:
                _write_checks(around, block)


def _failure(shell: Shell, command: Command) -> str | None:
    done = shell.run(shell.now(command.text), TYPED)
    is_right = done.returncode == FAILS.get(command.text, 0)
    if is_right and (command.printed is None or is_printed(command.printed, done.stdout)):
        return None
    shown = f"\nwhere the page shows:\n{command.printed}" if is_right else ""
    told = f"exit code {done.returncode}\n{done.stdout[-4000:]}"
    return f"{command.where}: {command.text}\n{told}{shown}"


def _queries(block: Block) -> list[str]:
    """The statements of a block; a text in dollars is part of one, whatever stands in it."""
    return re.findall(r"((?:\$\$.*?\$\$|.)+?);[^\n]*(?:\n|\Z)", block.text, re.DOTALL)


def _refusal(shell: Shell, where: str, query: str) -> str | None:
    url = embedded_postgres.start(shell.root / ".atlas")
    try:
        with psycopg.connect(url) as connection:
            connection.execute(shell.now(query).encode())
            connection.rollback()  # no page needs what another one has made
    except psycopg.Error as error:
        return f"{where}: {error}\n{query}"
    return None


def _write_checks(shell: Shell, block: Block) -> None:
    """Put what a page says of the checks of a stream of `faker` where it says."""
    named = re.match(r"# (config/checks/faker/\w+[.]yml)\n", block.text)
    if named:
        file = shell.root / named[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)


@contextmanager
def _servers(shell: Shell, shown: list[Command]) -> Iterator[Shell]:
    """A shell that has the servers that a page starts, and those that its commands ask."""
    ports = {8010: free_port(), 3080: free_port()}
    with running(AirbyteDouble()) as airbyte, ExitStack() as stack:
        airbyte.ledger.add_connection("shop", stream("orders"))
        more = {"ATLAS_WEBHOOK_TOKEN": WEBHOOK_TOKEN, "ATLAS_WEBHOOK_PORT": str(ports[8010])}
        if any(command.text.startswith("atlas refresh") for command in shown):
            more |= environment(airbyte)
        if any(command.text.startswith("atlas qalita") for command in shown):
            more |= {
                "QALITA_BASE_URL": f"http://127.0.0.1:{ports[3080]}",
                "QALITA_API_TOKEN": API_TOKEN,
                "ATLAS_QALITA_PROVISION": "true",
            }
            mapping = shell.root / "config" / "qalita.json"
            mapping.write_text(json.dumps({"default": {"pack_id": 1}}))
            stack.callback(mapping.unlink)
        around = replace(shell, environment={**shell.environment, **more}, ports=ports)
        stack.callback(shutil.rmtree, shell.root / "config" / "checks", ignore_errors=True)
        for command in (command for command in shown if command.text in SERVERS):
            options, url = SERVERS[command.text]
            port = int(re.findall(r":(\d+)", url)[0])
            process = around.start(command.text + options.format(port=ports[port]))
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_until_healthy(around.now(url), process)
        yield around
