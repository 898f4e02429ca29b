"""Takes the pictures of docs/ui.md: runs the demo in a directory of its own, and clicks through it.

    .venv/bin/python docs/screenshots.py

Needs Chromium and what the tests need (`make install-dev`); takes some minutes. What is clicked is
what the tests of the UI click.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from playwright.sync_api import Browser, expect  # noqa: E402

from atlas_dagster_tests.integration.project import Project, day  # noqa: E402
from atlas_dagster_tests.ui.browser import running_browser  # noqa: E402
from atlas_dagster_tests.ui.pages import PATIENCE_MS, Dagster  # noqa: E402
from atlas_dagster_tests.ui.serving import run_atlas, serving  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
WIDTH = 1400
FAILING = "override:\n  row_count: {fail: 1000}\n"

TOP_OF_STACK_TRACE = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let top = null;
    while (texts.nextNode()) {
        const start = texts.currentNode.data.indexOf("Stack Trace:");
        if (start < 0) continue;
        const range = document.createRange();
        range.setStart(texts.currentNode, start);
        range.setEnd(texts.currentNode, start + 1);
        top = range.getBoundingClientRect().top;
    }
    return top;
}"""
"""Of the last event that has one: paths of the machine are nothing for the docs."""


@dataclass(frozen=True)
class Camera:
    """Dagster's UI in a browser, without its navigation, which takes the room of a layer."""

    browser: Browser
    url: str

    @contextmanager
    def page(self, height: int) -> Iterator[Dagster]:
        page = self.browser.new_page(viewport={"width": WIDTH, "height": height})
        dagster = Dagster(page, self.url)
        dagster.open("/overview")
        dagster.hide_navigation()
        yield dagster
        page.close()


def main() -> None:
    """Run the demo, serve it, take all pictures, and leave nothing behind but them."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("Chromium is not installed (Debian: apt-get install chromium)")
    root = Path(tempfile.mkdtemp(prefix="atlas-docs-"))
    project = Project(root, "")
    try:
        shutil.copytree(REPOSITORY / "config", root / "config")
        project.copy_dagster_files()
        run_atlas(project, "demo")
        with serving(project) as url, running_browser(Path(program)) as browser:
            take_all(Camera(browser, url), project)
    finally:
        run_atlas(project, "postgres", "stop")
        shutil.rmtree(root)


def take_all(camera: Camera, project: Project) -> None:
    """The pictures; the one of the plots last of those that want a connection that is well."""
    with camera.page(860) as dagster:
        dagster.open_graph("faker")
        dagster.wait_for_graph()
        take(dagster, "asset-graph")
    with camera.page(1000) as dagster:
        dagster.open_events("navigate", "faker", "users")
        dagster.see("atlas/summary")
        take(dagster, "materialization")
        dagster.open_check("quality_gate", "chart", "faker", "users")
        dagster.see("atlas/completeness")
        take(dagster, "checks")
    with camera.page(620) as dagster:
        dagster.backfill("faker_layers", day(1), day())
        dagster.wait_for_backfill()
        succeeded = dagster.page.get_by_text("Succeeded", exact=True)
        expect(succeeded).to_have_count(2, timeout=PATIENCE_MS)  # the status beside the column
        dagster.page.reload()  # without the toast of its launch
        dagster.wait_for_backfill()
        take(dagster, "backfill")
    with camera.page(1000) as dagster:
        dagster.open_asset("navigate", "faker", "users")
        dagster.plots()
        dagster.see("atlas/quality_score").scroll_into_view_if_needed()
        take(dagster, "plots")
    checks = project.root / "config" / "checks" / "faker" / "products.yml"
    checks.parent.mkdir(parents=True)
    checks.write_text(FAILING)
    with camera.page(900) as dagster:
        dagster.open_graph("faker")
        dagster.materialize_all()
        dagster.wait_for_run("Failure")
        dagster.page.reload()
        dagster.see("give the run the tag")
        take(dagster, "closed-gate", height=dagster.page.evaluate(TOP_OF_STACK_TRACE))


def take(dagster: Dagster, name: str, height: float | None = None) -> None:
    """Once nothing is loading any more; ``height`` cuts off what is below."""
    dagster.page.wait_for_load_state("networkidle")
    view = dagster.page.viewport_size
    assert view is not None
    dagster.page.screenshot(
        path=IMAGES / f"{name}.png",
        animations="disabled",
        clip={"x": 0, "y": 0, "width": WIDTH, "height": height or view["height"]},
    )
    sys.stdout.write(f"docs/images/{name}.png\n")


if __name__ == "__main__":
    main()
