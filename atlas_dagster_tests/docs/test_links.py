"""Links lead somewhere, every page is found, and the architecture names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas_dagster_tests.docs.pages import Page, all_pages, read_page
from atlas_dagster_tests.integration.project import REPOSITORY

PAGES = all_pages()
ABSOLUTE = re.compile(r"[a-z]+:")


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_to_a_file_and_a_heading_of_the_repository(page: Page) -> None:
    broken = [target for target in page.links() if not _leads_somewhere(page, target)]
    assert broken == []


def _leads_somewhere(page: Page, target: str) -> bool:
    if ABSOLUTE.match(target):
        return True
    file, _, anchor = target.partition("#")
    path = (page.path.parent / file).resolve() if file else page.path
    if not path.is_relative_to(REPOSITORY) or not path.exists():
        return False
    name = path.relative_to(REPOSITORY).as_posix()
    return not anchor or anchor in read_page(name).anchors()


def test_the_index_has_every_page() -> None:
    index = read_page("docs/index.md")
    linked = {(index.path.parent / target).resolve() for target in index.links()}
    missing = [
        page.name for page in PAGES if page.name.startswith("docs/") and page.path not in linked
    ]
    assert [name for name in missing if name != index.name] == []


def test_the_map_of_modules_is_that_of_the_repository() -> None:
    mapped = _first_cells("docs/architecture.md", "## The modules")
    assert [path for path in mapped if not (REPOSITORY / path).exists()] == []
    assert sorted(_folders() - {path.rstrip("/") for path in mapped}) == []


def test_the_sensors_are_those_of_the_code() -> None:
    files = (REPOSITORY / "atlas_dagster").rglob("*.py")
    code = "\n".join(file.read_text("utf-8") for file in files)
    defined = re.findall(r"SensorDefinition\(\s*name=\"(\w+)\"", code)
    shown = _first_cells("docs/ui.md", "## Schedules and sensors")
    assert sorted(name for name in shown if not name.endswith("_schedule")) == sorted(defined)


def _first_cells(page: str, heading: str) -> list[str]:
    """What the table under a heading of a page is about, row by row."""
    section = read_page(page).text.split(f"{heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([\w/.]+)` \|", section, re.MULTILINE)


def _folders() -> set[str]:
    """The folders of the repository, and those of the package."""
    top = {path.name for path in _folders_in(REPOSITORY) if not path.name.endswith(".egg-info")}
    packages = {f"atlas_dagster/{path.name}" for path in _folders_in(REPOSITORY / "atlas_dagster")}
    return {*(top - {"atlas_dagster", "build"}), *packages}


def _folders_in(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir() and path.name[0] not in "._"]
