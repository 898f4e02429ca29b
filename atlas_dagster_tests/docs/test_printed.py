"""What a page shows beside a command, compared with what the command prints."""

from __future__ import annotations

import pytest

from atlas_dagster_tests.docs.pages import Block
from atlas_dagster_tests.docs.shell import Command, commands, is_printed


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("1,300 rows of 2026-11-23", "7 rows of 2027-01-02"),
        ("share  0.5 %\na      1,000", "share    100.0 %\na          7"),
        ("run 0f3a1c2d ended", "run 9b1e4f77 ended"),
        (
            "users  version 1  2026-11-23 06:00:00+00:00  …",
            "users  version 2  2026-12-01 06:11:07+00:00  {}",
        ),
        ("first\n…\nlast", "first\na\nb\nlast"),
        ("first\n…", "first"),
        ("…\nlast", "a\nb\nlast"),
    ],
)
def test_numbers_days_ids_and_columns_may_differ_and_what_is_left_out(
    shown: str, printed: str
) -> None:
    assert is_printed(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("3 rows", "3 columns"),
        ("first", "first\nsecond"),
        ("first\nsecond", "first"),
        ("first\n…\nlast", "first\na"),
        ("faker/users: 1 line", "faker/products: 1 line"),
    ],
)
def test_words_may_not_differ_and_nothing_is_left_out_unsaid(shown: str, printed: str) -> None:
    assert not is_printed(shown, printed)


def test_a_console_block_has_commands_after_a_dollar_and_what_they_print() -> None:
    block = Block("a.md", 7, "console", "$ atlas a \\\n  --b   # it's said\none\n\n$ atlas c\n")
    assert commands(block) == [
        Command("a.md:7", "atlas a \\\n  --b", "one"),
        Command("a.md:11", "atlas c", None),
    ]


def test_a_command_goes_on_until_its_quotes_end() -> None:
    block = Block("a.md", 7, "sh", "python -c '\nprint(1)\n'\natlas c\n")
    assert [each.text for each in commands(block)] == ["python -c '\nprint(1)\n'", "atlas c"]


def test_a_block_of_commands_has_one_on_each_line() -> None:
    block = Block("a.md", 7, "sh", "# said\natlas a --json '# b'\n\natlas c  # said\n")
    assert [each.text for each in commands(block)] == ["atlas a --json '# b'", "atlas c"]
