"""Every file of configuration that the documentation shows is read by what reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values
from ruamel.yaml import YAML

from atlas_dagster.config import load_connections
from atlas_dagster.lineage.transport import open_client
from atlas_dagster.pii.recognizer_file import read_recognizers
from atlas_dagster.qalita.mapping import load_mapping
from atlas_dagster.qalita.settings import load_qalita_server
from atlas_dagster.quality.user_file import read_user_file
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster_tests.docs.pages import Block, all_pages
from atlas_dagster_tests.docs.project import USERS
from atlas_dagster_tests.integration.project import REPOSITORY
from atlas_dagster_tests.quality.catalogs import stream
from atlas_dagster_tests.quality.test_guide_checks import COUNTRIES
from atlas_dagster_tests.quality.test_guide_checks import USERS as CRM_USERS


def _blocks(*languages: str) -> list[Block]:
    return [block for page in all_pages() for block in page.blocks(*languages)]


def _ids(blocks: list[Block]) -> list[str]:
    return [block.where for block in blocks]


def _read_checks(settings: Settings, path: Path) -> object:
    """The checks of a stream, which has all columns that the documentation names."""
    read = read_user_file(path, DOCUMENTED_STREAMS[path.parent.name], [CRM_USERS, COUNTRIES])
    assert read.mistakes == ()
    return read.checks or read.disable or read.override


def _rules(settings: Settings, path: Path) -> object:
    rules = load_rules(settings)
    return rules.connections or rules.pii.scopes


YAML_READER = YAML(typ="safe")  # for files of others
READERS: dict[str, Callable[[Settings, Path], object]] = {
    r"config/connections[.]yaml": lambda settings, _: load_connections(settings),
    r"config/atlas[.]yaml": _rules,
    r"config/pii_recognizers[.]yaml": lambda _, path: read_recognizers(path).recognizers,
    r"config/checks/\w+/\w+[.]yml": _read_checks,
    r"prometheus[.]yml": lambda _, path: YAML_READER.load(path),
    r"openlineage[.]yml": lambda *_: open_client().transport.kind,
    r"config/qalita[.]json": lambda settings, _: load_mapping(settings.config_dir).routes,
}
FAKER_USERS = stream(USERS["json_schema"]["properties"], name="users")
DOCUMENTED_STREAMS = {"crm": CRM_USERS, "faker": FAKER_USERS}
FILES = _blocks("yaml")
JSON = _blocks("json")
ENVIRONMENTS = _blocks("dotenv")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", "a-token")
    return load_settings({})


def _read(settings: Settings, name: str, text: str) -> object:
    path = settings.config_dir.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    reader = next(read for pattern, read in READERS.items() if re.fullmatch(pattern, name))
    return reader(settings, path)


@pytest.mark.parametrize("block", FILES, ids=_ids(FILES))
def test_a_yaml_file_names_itself_and_is_read(settings: Settings, block: Block) -> None:
    named = re.match(r"# (\S+)\n", block.text)
    assert named, f"{block.where}: the first line names the file, as in `# config/atlas.yaml`"
    assert _read(settings, named[1], block.text)


@pytest.mark.parametrize("block", JSON, ids=_ids(JSON))
def test_a_json_file_is_the_mapping_of_qalita(settings: Settings, block: Block) -> None:
    assert _read(settings, "config/qalita.json", block.text)


@pytest.mark.parametrize("block", ENVIRONMENTS, ids=_ids(ENVIRONMENTS))
def test_an_environment_has_variables_that_are_known_and_is_read(block: Block) -> None:
    values = dotenv_values(stream=StringIO(block.text))
    given = {name: value or "" for name, value in values.items()}
    assert [name for name in given if not re.search(rf"\b{name}\b", _known_variables())] == []
    load_settings(given)
    load_qalita_server(given)


def _known_variables() -> str:
    """The text of the files that say which variables there are."""
    files = [".env.example", *(path.name for path in REPOSITORY.glob("docker-compose*.yml"))]
    deployed = (path for path in REPOSITORY.glob("deploy/**/*") if path.is_file())
    return "\n".join(p.read_text() for p in [*(REPOSITORY / name for name in files), *deployed])
