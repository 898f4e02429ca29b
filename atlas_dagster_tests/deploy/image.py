"""What the image holds, built by the Dockerfile's own instructions in a directory of this machine.

Usually the dependencies are those of the environment that runs the tests, which the same lock was
installed into: pip then finds them and says so. With ATLAS_TEST_EFFORT=thorough they are installed.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from atlas_dagster_tests.deploy import dockerfile
from atlas_dagster_tests.deploy.dockerfile import Place, Stage
from atlas_dagster_tests.integration.project import REPOSITORY

_COMMANDS = ("dagster", "dagster-daemon", "dagster-webserver")


@dataclass(frozen=True)
class Image:
    """``root`` holds the directories of the image; ``stages`` are those of the Dockerfile."""

    root: Path
    stages: list[Stage]

    def place(self, app: Path, data: Path) -> Place:
        """Where a container of the image finds its files."""
        return Place({"/opt/atlas": self.root / "atlas", "/app": app, "/data": data})

    def fill(self, place: Place) -> None:
        """Put the files of the image that the last stage copies where a container has them."""
        dockerfile.copy(self.stages[-1], REPOSITORY, place)

    def environment(self, place: Place) -> dict[str, str]:
        """What ENV of the last stage says, with the PATH of this machine below its own."""
        known = dockerfile.environment(self.stages[-1], {"PATH": os.environ["PATH"]})
        return {name: place.local(value) for name, value in known.items()}


def build(root: Path, *, install: bool) -> Image:
    """Play the build stage; ``install``: the dependencies too, else they are those of the tests."""
    image = built(root)
    stage = image.stages[0]
    place = Place({"/opt/atlas": root / "atlas", "/src": root / "src"})
    dockerfile.copy(stage, REPOSITORY, place)
    variables = _variables(root)
    make, *rest = stage.all("RUN")
    dockerfile.run(_only(stage, [make]), place, variables)
    if not install:
        _lend_packages(root / "atlas")
    dockerfile.run(_only(stage, rest), place, variables)
    return image


def built(root: Path) -> Image:
    """An image that is built in a directory, or is about to be."""
    return Image(root, dockerfile.parse((REPOSITORY / "Dockerfile").read_text()))


def _only(stage: Stage, commands: list[str]) -> Stage:
    others = [each for each in stage.instructions if each.what != "RUN"]
    runs = [dockerfile.Instruction("RUN", command) for command in commands]
    return Stage(stage.image, stage.name, [*others, *runs])


def _variables(root: Path) -> Mapping[str, str]:
    """A `python` in the PATH, as the base image has one, and what pip needs to find an index."""
    tools = root / "tools"
    tools.mkdir(parents=True)
    (tools / "python").symlink_to(sys.executable)
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(root)}


def _lend_packages(venv: Path) -> None:
    """Let an environment see the packages of this one, and give it their commands."""
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = venv / "lib" / python / "site-packages"
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for command in entry_points(group="console_scripts"):
        if command.name in _COMMANDS:
            script = venv / "bin" / command.name
            script.write_text(
                f"#!{venv}/bin/python\nimport sys\nfrom {command.module} import {command.attr}\n"
                f"sys.exit({command.attr}())\n"
            )
            script.chmod(0o755)
