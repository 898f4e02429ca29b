"""Commands that a sentence names exist, and every command of `atlas` is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from atlas_dagster.cli import atlas
from atlas_dagster_tests.docs.pages import all_pages

NAMED = sorted(
    {
        span
        for page in all_pages()
        for _, line in page.prose()
        for span in re.findall(r"`(atlas [^`]+)`", line)
    }
)


@pytest.mark.parametrize("span", NAMED)
def test_a_command_within_a_sentence_exists_with_its_options(span: str) -> None:
    command: click.Command = atlas
    for word in span.split()[1:]:
        if isinstance(command, click.Group):
            if word == "…" or word.startswith("--"):
                return
            assert word in command.commands, f"{span}: no command {word}"
            command = command.commands[word]
        elif word.startswith("--"):
            known = [option for each in command.params for option in each.opts]
            assert word.partition("=")[0] in known, f"{span}: no option {word}"


def test_every_command_is_documented() -> None:
    text = "\n".join(page.text for page in all_pages())
    leaves = _leaves(atlas, "atlas")
    assert [name for name in leaves if not re.search(rf"\b{name}\b", text)] == []


def _leaves(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for word, each in command.commands.items():
            yield from _leaves(each, f"{name} {word}")
    else:
        yield name
