"""Names and messages in Markdown, as a renderer shows them: text as it is, and nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from atlas_dagster.layers.stream_columns import SchemaChange
from atlas_dagster.markdown import code, escaped, items, table

HOSTILE = [
    "plain",
    "![x](http://evil.example/p.png)",
    "[click](http://evil.example)",
    "<img src=x onerror=alert(1)>",
    "__init__",
    "a*b*c",
    "~~gone~~",
    "&lt;",
    "# head",
    "`tick`",
    "``",
    "a``b",
    "\\",
    "a\\",
    "\\`",
    "a|b",
    "a`|`b",
    "<!-- hidden -->",
    "表 café",
]
LAID_OUT = {"p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code"}


def rendered(text: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def shown(page: str) -> str:
    """The text that a reader sees; what is more than layout fails."""
    tags = set(re.findall(r"</?([a-z0-9]+)", page))
    assert tags <= LAID_OUT, page
    return html.unescape(re.sub(r"<[^>]*>", "", page)).strip()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("made", [code, escaped])
def test_a_name_is_shown_as_it_is(made: Callable[[str], str], text: str) -> None:
    assert shown(rendered(f"- in a list: {made(text)}")) == f"in a list: {text}"
    page = rendered(table(["name", "next"], [[made(text), "cell"]]))
    cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
    assert [shown(cell) for cell in cells] == [text, "cell"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_change_of_a_schema_names_the_property_and_nothing_more(text: str) -> None:
    change = SchemaChange(text, "added", None, "string", "text")
    page = rendered(f"- {code(change.name)} {escaped(change.told)}")
    assert shown(page) == f"{text} was added as text"


def test_what_has_no_letters_is_seen_and_lines_are_one() -> None:
    assert shown(rendered(code(""))) == '""'
    assert shown(rendered(code("two\nlines"))) == "two lines"
    assert shown(rendered(escaped("two\n# lines"))) == "two # lines"


def test_items_are_texts() -> None:
    page = rendered(items(["a <b>bold</b> name", "![x](http://evil.example)"]))
    listed = re.findall(r"<li>(.*?)</li>", page)
    assert [shown(one) for one in listed] == ["a <b>bold</b> name", "![x](http://evil.example)"]
