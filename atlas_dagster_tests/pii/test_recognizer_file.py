"""`config/pii_recognizers.yaml` adds to Presidio's recognizers; a mistake in it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.pii.digest import recognizers_digest
from atlas_dagster.pii.recognizers import load_analyzer, load_recognizers
from atlas_dagster.pii.scan import Scanner
from atlas_dagster_tests.pii.support import chunk, plain_findings

BADGES = r"""
recognizers:
  - name: Badge recognizer
    supported_entity: BADGE
    supported_language: en
    patterns:
      - {name: badge, regex: '\bBDG-\d{4}\b', score: 0.4}
      - {name: not understood, regex: '(?:badge){i<=1}', score: 0.2}
    context: [badge, access]
    score_thresholds: {default: 0.3}
  - name: Titles recognizer
    type: custom
    supported_languages: [{language: en, context: [title]}]
    supported_entity: TITLE
    deny_list: [Mr., Mrs., Dr., M. A.]
  - name: UkNinoRecognizer
    type: predefined
  - name: UsLicenseRecognizer
    enabled: false
  - name: PhoneRecognizer
    supported_regions: [DK]
  - CaSinRecognizer
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pii_recognizers.yaml"


def test_own_recognizers_are_scanned_with_as_presidio_would(file: Path) -> None:
    file.write_text(BADGES)
    analyzer = load_analyzer(file)
    values = {
        "Mr. Jones lost BDG-1234": 2,
        "bdg-0000": 1,
        "badgge": 1,
        "M. A.": 1,
        "xMr.x": 1,
        "AB123456C": 1,
        "A1234567": 1,
        "32 12 34 56": 1,
        "130 692 544": 1,
    }
    for context in ([], ["badge"], ["title", "access card"]):
        found = Scanner(analyzer).scan(("field",), [chunk(values)], context)
        assert found.entities == plain_findings(analyzer, values, context)
    found = Scanner(analyzer).scan(("field",), [chunk(values)], ["badge"])
    assert {one.entity for one in found.entities} >= {"BADGE", "TITLE", "UK_NINO", "CA_SIN"}
    assert found.entity("US_DRIVER_LICENSE") is None
    phones = found.entity("PHONE_NUMBER")
    assert phones is not None
    assert phones.whole_values == 1


def test_without_a_file_there_are_presidios_own(file: Path) -> None:
    names = {recognizer.name for recognizer in load_recognizers(file)}
    assert {"EmailRecognizer", "PhoneRecognizer", "UsSsnRecognizer", "IbanRecognizer"} <= names
    assert len(names) == 17
    file.write_text("# nothing yet\n")
    assert {recognizer.name for recognizer in load_recognizers(file)} == names


MISTAKES = {
    "recognisers: []": ":1: recognisers: unknown key; did you mean recognizers?",
    "recognizers: [{}]": ":1: recognizers[0]: expected a name",
    "recognizers: [EmialRecognizer]": (
        ":1: recognizers[0]: Presidio has no such recognizer; did you mean EmailRecognizer?"
    ),
    "recognizers: [SpacyRecognizer]": (
        ":1: recognizers[0]: runs a model or asks a service; only recognizers of patterns are run"
    ),
    "recognizers:\n  - name: AzureAILanguageRecognizer": (
        ":2: recognizers[0].name: runs a model or asks a service;"
        " only recognizers of patterns are run"
    ),
    "recognizers: [EmailRecognizer, EmailRecognizer]": (
        ":1: recognizers[1]: stands twice, first on line 1"
    ),
    "recognizers:\n  - name: Own\n    supported_entity: X": (
        ":2: recognizers[0].name: Presidio has no such recognizer"
    ),
    "recognizers:\n  - name: Own\n    type: custom\n    supported_entity: X": (
        ":2: recognizers[0]: expected patterns, or a deny_list"
    ),
    "recognizers:\n  - name: Own\n    deny_list: [a]": (
        ":2: recognizers[0]: expected supported_entity: what it finds"
    ),
    "recognizers:\n  - name: Own\n    deny_list: [3]\n    supported_entity: X": (
        ":3: recognizers[0].deny_list[0]: expected a word (in quotes); found 3"
    ),
    "recognizers:\n  - name: Own\n    supported_entity: X\n    paterns: []\n    deny_list: [a]": (
        ":4: recognizers[0].paterns: unknown key; did you mean patterns?"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    leniency: 1": (
        ":3: recognizers[0].leniency: unknown key;"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    type: predefined\n    deny_list: [a]": (
        ":3: recognizers[0].type: a predefined recognizer has its own patterns; make it custom"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    type: pattern": (
        ":3: recognizers[0].type: expected custom or predefined; found 'pattern'"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    deny_list: [a]\n    supported_entity: X": (
        ":2: recognizers[0].name: is the name of one of Presidio's own; choose another"
    ),
    "recognizers:\n  - name: DeTaxIdRecognizer\n    supported_languages: [de]": (
        ":3: recognizers[0].supported_languages[0]: values are analysed as en; write en"
    ),
    "recognizers:\n  - name: DeTaxIdRecognizer\n    supported_language: de": (
        ":3: recognizers[0].supported_language: values are analysed as en; write en"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    enabled: maybe": (
        ":3: recognizers[0].enabled: expected true or false; found 'maybe'"
    ),
    "recognizers:\n  - name: EmailRecognizer\n    score_thresholds: {default: 3}": (
        ":2: recognizers[0]: Presidio refuses it: Score threshold must be between 0.0 and 1.0"
    ),
    "global_regex_flags: icase\nrecognizers: []": (
        ":1: global_regex_flags: expected the flags of Python's regex, as a number: 26"
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_a_mistake_is_named_by_file_line_and_key(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_recognizers(file)
    assert str(raised.value).startswith(f"{file}{message}")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{name: p, regex: '(', score: 0.5}", "patterns[0].regex: is no regular expression: "),
        ("{name: p, regex: '[z-a]', score: 0.5}", "patterns[0].regex: is no regular expression: "),
        (
            "{name: p, regex: a, score: 2}",
            "patterns[0].score: expected a score from 0 to 1; found 2",
        ),
        ("{name: p, regex: a}", "patterns[0].score: expected a score from 0 to 1; found nothing"),
        ("{name: p, score: 1}", "patterns[0].regex: expected a regular expression; found nothing"),
        ("{regex: a, score: 1}", "patterns[0].name: expected the name of a pattern; found nothing"),
        ("{name: p, regexp: a, score: 1}", "patterns[0].regexp: unknown key; did you mean regex?"),
    ],
)
def test_a_pattern_that_is_wrong_is_refused(file: Path, pattern: str, message: str) -> None:
    file.write_text(
        f"recognizers:\n  - name: Own\n    supported_entity: X\n    patterns:\n      - {pattern}\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_recognizers(file)
    assert str(raised.value).startswith(f"{file}:5: recognizers[0].{message}")


def test_to_disable_all_recognizers_is_refused(file: Path, every_name: list[str]) -> None:
    entries = "\n".join(f"  - {{name: {name}, enabled: false}}" for name in every_name)
    file.write_text(f"recognizers:\n{entries}\n")
    with pytest.raises(ConfigError, match="no recognizer is left"):
        load_recognizers(file)


@pytest.fixture
def every_name(tmp_path: Path) -> list[str]:
    return [type(one).__name__ for one in load_recognizers(tmp_path / "none.yaml")]


def test_the_digest_changes_with_what_may_change_findings(file: Path) -> None:
    digests = {recognizers_digest(file, None)}
    assert digests == {recognizers_digest(file, None)}
    for text in (
        BADGES,
        BADGES.replace("0.4", "0.5"),
        BADGES.replace("{4}", "{5}"),
        BADGES.replace("[badge, access]", "[badge]"),
        BADGES.replace("default: 0.3", "default: 0.2"),
        BADGES.replace("[DK]", "[DK, SE]"),
        BADGES.replace("[Mr., ", "[Ms., "),
        BADGES.replace("enabled: false", "enabled: true"),
    ):
        file.write_text(text)
        digests.add(recognizers_digest(file, None))
    assert len(digests) == 9


def test_words_of_context_of_an_own_recognizer_are_its_own(file: Path) -> None:
    file.write_text(BADGES)
    context = {one.name: one.context for one in load_recognizers(file)}
    assert context["Badge recognizer"] == ["badge", "access"]
    assert context["Titles recognizer"] == ["title"]


def test_another_model_is_another_digest(file: Path) -> None:
    assert recognizers_digest(file, "en_core_web_sm") != recognizers_digest(file, None)
