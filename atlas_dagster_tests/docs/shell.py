"""The commands that pages show, each run as it stands there by a bash in a project's directory.

A block `sh` holds commands; a block `console` holds commands after `$ `, each with what it prints.
In what is printed, numbers, dates and ids may differ, and how far columns stand apart; `…` stands
for the rest of a line, and on a line of its own for lines.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from atlas_dagster_tests.docs.pages import Block

LANGUAGES = ("sh", "console")
DOCUMENTED_TODAY = date(2026, 11, 23)
"""What pages call today; commands are run with days that are as far from the real one."""

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Command:
    """One command as it is typed, with the lines that it prints; None: the page does not say."""

    where: str
    text: str
    printed: str | None = None


def commands(block: Block) -> list[Command]:
    """The commands of a block.

    A line that ends with a backslash, or within quotes, goes on in the next one.
    """
    found: list[tuple[int, list[str], list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if found and not found[-1][2] and _goes_on("\n".join(found[-1][1])):
            found[-1][1].append(line)
        elif block.language == "sh":
            if line.strip() and not line.startswith("#"):
                found.append((number, [line], []))
        elif line.startswith("$ "):
            found.append((number, [line[2:]], []))
        else:
            assert found, f"{block.where}: a console block starts with a command, after `$ `"
            found[-1][2].append(line)
    is_told = block.language == "console"
    return [
        Command(
            f"{block.page}:{number}",
            _without_comment("\n".join(typed)),
            "\n".join(printed).strip() if is_told and printed else None,
        )
        for number, typed, printed in found
    ]


def _goes_on(typed: str) -> bool:
    try:
        shlex.split(typed, comments=True)
    except ValueError:  # a quotation without an end, or nothing after a backslash
        return True
    return typed.endswith("\\")


def _without_comment(line: str) -> str:
    """A command without what is said of it after two blanks and `#`."""
    return re.sub(r"\s{2,}# .*", "", line).strip()


@dataclass
class Shell:
    """A project's directory and the environment that its operator has.

    ``ports`` are those of the pages, and the free ones that are used instead.
    """

    root: Path
    environment: Mapping[str, str]
    ports: Mapping[int, int] = field(default_factory=dict[int, int])

    def run(self, text: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is all that it prints, ``typed`` what it is told."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self.root,
            env=dict(self.environment),
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def now(self, text: str) -> str:
        """A command of a page with days and ports of this run."""
        shift = datetime.now(timezone.utc).date() - DOCUMENTED_TODAY
        text = re.sub(r"\b2026-11-\d\d\b", lambda day: _shifted(day[0], shift), text)
        for documented, used in self.ports.items():
            text = re.sub(rf"(?<=:){documented}\b", str(used), text)
        return text

    def start(self, text: str) -> subprocess.Popen[str]:
        """Start a command that goes on until it is stopped."""
        with (self.root / "servers.log").open("a") as log:
            return subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.root,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )


def _shifted(day: str, shift: timedelta) -> str:
    return (date.fromisoformat(day) + shift).isoformat()


def wait_until_healthy(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server answers with 200."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(url):
        assert time.monotonic() < deadline, f"{url} was never healthy"
        assert process.poll() is None, f"what should answer at {url} has ended"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def is_printed(expected: str, printed: str) -> bool:
    """Whether a command printed what a page shows, and nothing else."""
    pattern = "".join(_pattern(line) for line in expected.splitlines())
    return re.fullmatch(pattern, _alike(printed) + "\n") is not None


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return "(?:.*\n)*"
    return ".*".join(re.escape(part) for part in _alike(line).split("…")) + "\n"


def _alike(text: str) -> str:
    """What two runs have in common: no number, no id, one blank between words."""
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{6,}\b", "#", text)
    text = re.sub(r"[-+]?\d+(?:[.,:]\d+)*", "#", text)
    text = re.sub(r"(?:#(?:[-T ]|:(?! ))?)+(?:%|\+#|Z)?", "#", text)  # a colon may end a name
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()
