"""The Dockerfile, parsed, and its instructions played in a directory of this machine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from atlas_dagster_tests.deploy.compose import interpolate


@dataclass(frozen=True)
class Instruction:
    """``what`` is the keyword, in capitals; ``text`` what follows it, its lines joined."""

    what: str
    text: str


@dataclass(frozen=True)
class Stage:
    """The instructions from one FROM to the next."""

    image: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list[Instruction])

    def all(self, what: str) -> list[str]:
        return [each.text for each in self.instructions if each.what == what]


def parse(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        what, _, rest = line.partition(" ")
        if what == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append(Stage(image, name or None))
        else:
            stages[-1].instructions.append(Instruction(what, rest.strip()))
    return stages


def environment(stage: Stage, variables: Mapping[str, str]) -> dict[str, str]:
    """What ENV and ARG set, upon what is there already."""
    known = dict(variables)
    for each in stage.instructions:
        if each.what in ("ENV", "ARG"):
            for word in shlex.split(each.text):
                name, _, value = word.partition("=")
                known[name] = interpolate(value, known)
    return known


@dataclass(frozen=True)
class Place:
    """Where the directories of an image are on this machine."""

    directories: Mapping[str, Path]

    def local(self, text: str) -> str:
        """A text with the image's directories named as they are here."""
        for there, here in self.directories.items():
            text = re.sub(rf"(?<![\w./-]){re.escape(there)}(?![\w-])", str(here), text)
        return text

    def path(self, name: str, workdir: str) -> Path:
        absolute = name if name.startswith("/") else os.path.normpath(f"{workdir}/{name}")
        return Path(self.local(absolute))


def copy(stage: Stage, context: Path, place: Place) -> None:
    """Play the COPY instructions that take from the context."""
    workdir = "/"
    for each in stage.instructions:
        if each.what == "WORKDIR":
            workdir = each.text
        if each.what == "COPY" and not each.text.startswith("--from="):
            *sources, target = each.text.split()
            for source in sources:
                _copy(context / source, place.path(target, workdir), into=target.endswith("/"))


def run(stage: Stage, place: Place, variables: Mapping[str, str]) -> None:
    """Play the RUN instructions; fails with what a command printed that does."""
    directory = place.path(stage.all("WORKDIR")[-1], "/")
    directory.mkdir(parents=True, exist_ok=True)
    for command in stage.all("RUN"):
        done = subprocess.run(
            ["sh", "-c", place.local(command)],
            cwd=directory,
            env=environment(stage, variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}"


def _copy(source: Path, target: Path, *, into: bool) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", ".env*")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored)
        return
    folder = target if into else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target / source.name if into else target)
