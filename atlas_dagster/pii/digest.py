"""What decides the findings of a scan, as a digest: where it is the same, so are they."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

SCAN_VERSION = 2
"""Counts the ways in which values have been scanned and judged."""

_PACKAGES = ("presidio-analyzer", "phonenumbers", "tldextract", "regex", "spacy")


def recognizers_digest(file: Path, spacy_model: str | None) -> str:
    """A digest of recognizers, rules and model; nothing of them is imported for it.

    ``file`` holds the operator's own recognizers, if it is there.
    """
    own = file.read_bytes() if file.is_file() else b""
    facts = {
        "packages": {package: version(package) for package in _PACKAGES},
        "own": hashlib.sha256(own).hexdigest(),
        "model": spacy_model,
        "scan": SCAN_VERSION,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
