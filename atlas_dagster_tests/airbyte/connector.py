"""A connector that says what a scenario file tells it to: a real process with a real pipe.

Beside this script, written by `scripted.py`, lies `scenario.json`: spec, catalog, and for `read`
either `steps` or `count`. Standard library only.
"""

import json
import os
import sys
import time
from pathlib import Path

HOME = Path(sys.argv[0]).resolve().parent
DESTINATION_MODES = ("append", "overwrite", "append_dedup", "update", "soft_delete")
"""`DestinationSyncMode` of airbyte_protocol_dataclasses: a real connector fails on others."""


def say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def main() -> int:
    scenario = json.loads((HOME / "scenario.json").read_text())
    verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    with (HOME / "calls").open("a") as calls:
        calls.write(json.dumps({"verb": verb, "pid": os.getpid()}) + "\n")
    if "--config" in options:
        (HOME / "seen_config.json").write_text(Path(options["--config"]).read_text())
    if "--catalog" in options:
        catalog = json.loads(Path(options["--catalog"]).read_text())
        (HOME / "seen_catalog.json").write_text(json.dumps(catalog))
        for stream in catalog["streams"]:
            if stream["destination_sync_mode"] not in DESTINATION_MODES:
                sys.stderr.write(f"Invalid value: {stream['destination_sync_mode']}\n")
                return 1
    state = json.loads(Path(options["--state"]).read_text()) if "--state" in options else []
    (HOME / "seen_state.json").write_text(json.dumps(state))
    if verb == "spec":
        say({"type": "SPEC", "spec": {"connectionSpecification": scenario["spec"]}})
    elif verb == "check":
        say({"type": "CONNECTION_STATUS", "connectionStatus": scenario["check"]})
    elif verb == "discover":
        say({"type": "CATALOG", "catalog": scenario["catalog"]})
    elif "count" in scenario:
        count_on(scenario["count"], state)
    else:
        return play(scenario.get("steps", []))
    return 0


def play(steps: list) -> int:
    for step in steps:
        kind, value = next(iter(step.items()))
        if kind == "say":
            say(value)
        elif kind == "write":
            sys.stdout.flush()
            sys.stdout.buffer.write(value.encode("latin-1"))
            sys.stdout.buffer.flush()
        elif kind == "stderr":
            sys.stderr.write(value + "\n")
        elif kind == "wait":  # until the test has made a file of that name
            sys.stdout.flush()
            while not (HOME / value).exists():
                time.sleep(0.01)
        elif kind == "fork":  # a child that outlives us and holds our output open
            if os.fork() == 0:
                time.sleep(3600)
        elif kind == "exit":
            return value
    return 0


def count_on(task: dict, state: list) -> None:
    """Emit the numbers after the state's, up to a total, with a state after every few."""
    last = state[0]["stream"]["stream_state"]["last"] if state else 0
    for number in range(last + 1, task["total"] + 1):
        record = {"stream": "numbers", "data": {"id": number}, "emitted_at": 1_700_000_000_000}
        say({"type": "RECORD", "record": record})
        if number % task["every"] == 0 or number == task["total"]:
            descriptor = {"name": "numbers"}
            stream = {"stream_descriptor": descriptor, "stream_state": {"last": number}}
            say({"type": "STATE", "state": {"type": "STREAM", "stream": stream}})
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
