"""What a person does in Dagster's UI, page by page: for the tests, and for the docs' pictures.

Everything is found by what can be read on the page. Waits are patient: a machine may be slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 180_000

LOCATION = "atlas_dagster.definitions"


@dataclass(frozen=True)
class Dagster:
    """Dagster's UI at a URL, in a page of a browser."""

    page: Page
    url: str

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def see(self, text: str | re.Pattern[str]) -> Locator:
        """Wait until the text can be seen somewhere; the first place where it stands."""
        found = self.page.get_by_text(text).filter(visible=True).first
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def open_graph(self, connection: str) -> None:
        """The assets of a connection."""
        self.open(f"/locations/{LOCATION}/asset-groups/{connection}")
        expect(self.page.get_by_role("button", name="Materialize all")).to_be_enabled(
            timeout=PATIENCE_MS
        )

    def wait_for_graph(self) -> None:
        """Until the boxes have what they show."""
        expect(self.page.get_by_text("Latest event").first).to_be_visible(timeout=PATIENCE_MS)
        expect(self.page.get_by_text("Loading")).to_have_count(0, timeout=PATIENCE_MS)

    def assets_in_graph(self, name: str) -> Locator:
        """The boxes of the graph that are called so."""
        return self.page.locator("foreignObject").get_by_text(name, exact=True)

    def hide_navigation(self) -> None:
        """Leave its room to the page, from here on."""
        self.page.get_by_role("button", name="Hide navigation").click(timeout=PATIENCE_MS)

    def materialize_all(self) -> None:
        """Of the graph or the job that is open, for today; then go to the run."""
        dialog = self._materialization()
        dialog.get_by_role("button", name="Latest", exact=True).click()
        self._launch(dialog)

    def backfill(self, job: str, first: str, last: str) -> None:
        """Materialize all of a job for some days; then go to the backfill."""
        self.open(f"/locations/{LOCATION}/jobs/{job}")
        dialog = self._materialization()
        days = dialog.get_by_role("textbox").first
        days.fill(f"[{first}...{last}]")
        days.press("Enter")
        self._launch(dialog)

    def _materialization(self) -> Locator:
        """The dialog that asks for the days."""
        self.page.get_by_role("button", name="Materialize all").first.click(timeout=PATIENCE_MS)
        dialog = self.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Partition selection", timeout=PATIENCE_MS)
        return dialog

    def _launch(self, dialog: Locator) -> None:
        dialog.get_by_role("button", name=re.compile("^Launch")).click(timeout=PATIENCE_MS)
        self.page.get_by_role("button", name="View", exact=True).or_(
            self.page.get_by_role("link", name="View", exact=True)
        ).last.click(timeout=PATIENCE_MS)

    def wait_for_run(self, status: str) -> None:
        """Until the run that is open has ended, and how."""
        expect(self.page).to_have_url(re.compile("/runs/"), timeout=PATIENCE_MS)
        ended = self.page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first
        expect(ended).to_have_text(status, timeout=PATIENCE_MS)

    def wait_for_backfill(self) -> None:
        """Until all runs of the backfill that is open have succeeded."""
        expect(self.page).to_have_url(re.compile("/runs/b/"), timeout=PATIENCE_MS)
        self.see("100% completed")

    def open_asset(self, *key: str) -> None:
        """What an asset is, and the newest of what it tells."""
        self.open(f"/assets/{'/'.join(key)}")
        self.see("Definition")

    def open_events(self, *key: str) -> None:
        """The materializations of an asset, with the newest one's metadata."""
        self.open(f"/assets/{'/'.join(key)}?view=events")
        self.see(re.compile("[Mm]aterialized in run"))

    def plots(self) -> None:
        """Show the numbers of the partitioned asset that is open, event by event."""
        self.page.get_by_role("button", name="Plots").click(timeout=PATIENCE_MS)
        self.page.get_by_role("button", name=re.compile("Events$")).click(timeout=PATIENCE_MS)

    def open_check(self, check: str, *key: str) -> None:
        """The checks of an asset, with one of them chosen."""
        self.open(f"/assets/{'/'.join(key)}?view=checks&checkDetail={check}")
        self.see("Latest execution")

    def open_sensor(self, name: str) -> None:
        """A sensor with its ticks."""
        self.open(f"/locations/{LOCATION}/sensors/{name}")
        self.see("Latest tick")
