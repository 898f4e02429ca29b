"""The pages of the documentation, and their blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from atlas_dagster_tests.integration.project import REPOSITORY

_FENCE = re.compile(r"(?P<indent> *)```(?P<info>.*)")
_HEADING = re.compile(r"#{1,6} +(?P<text>.+)")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``line`` is that of its first line, ``language`` what its fence says."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """A Markdown file; ``name`` is its path in the repository."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        return REPOSITORY / self.name

    def blocks(self, *languages: str) -> list[Block]:
        """The blocks of these languages, in order; all of them where none is named."""
        found: list[Block] = []
        opened: tuple[int, str, int] | None = None
        lines: list[str] = []
        for number, line in enumerate(self.text.splitlines(), start=1):
            fence = _FENCE.fullmatch(line)
            if opened is None:
                if fence:
                    opened = number + 1, fence["info"].strip(), len(fence["indent"])
                    lines = []
            elif fence and not fence["info"]:
                first, language, _ = opened
                found.append(Block(self.name, first, language, "\n".join(lines) + "\n"))
                opened = None
            else:
                lines.append(line[opened[2] :])
        assert opened is None, f"{self.name}:{opened and opened[0]}: a block without an end"
        return [block for block in found if not languages or block.language in languages]

    def prose(self) -> list[tuple[int, str]]:
        """The lines outside of blocks, with their numbers."""
        found: list[tuple[int, str]] = []
        is_inside = False
        for number, line in enumerate(self.text.splitlines(), start=1):
            if _FENCE.fullmatch(line):
                is_inside = not is_inside
            elif not is_inside:
                found.append((number, line))
        return found

    def links(self) -> list[str]:
        """The targets of all links and images."""
        text = "\n".join(line for _, line in self.prose())
        return [match["target"] for match in _LINK.finditer(text)]

    def anchors(self) -> set[str]:
        """What a link may name after `#`, as GitHub makes it of the headings."""
        headings = [_HEADING.fullmatch(line) for _, line in self.prose()]
        return {_anchor(heading["text"]) for heading in headings if heading}


def _anchor(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


def read_page(name: str) -> Page:
    return Page(name, (REPOSITORY / name).read_text("utf-8"))


def all_pages() -> list[Page]:
    """README, CONTRIBUTING and the pages of docs/, in the order in which they are read."""
    root = [name for name in ("README.md", "CONTRIBUTING.md") if (REPOSITORY / name).is_file()]
    docs = sorted(path.relative_to(REPOSITORY).as_posix() for path in _markdown())
    return [read_page(name) for name in [*root, *docs]]


def _markdown() -> list[Path]:
    return list((REPOSITORY / "docs").rglob("*.md"))
