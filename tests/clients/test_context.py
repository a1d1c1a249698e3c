"""What the clients' own code finds inside an actor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings

MODULES = {"agavepy": "agavepy.actors", "tapispy": "tapispy.actors", "tapipy": "tapipy.actors"}
MESSAGE = {"key1": "value1", "n": [1, True, None, 2.5], "é": {"deep": "ü"}}
PROGRAM = "import json; from {} import get_context; print(json.dumps(get_context()))"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


def environment_of(emulator: Emulator, message: Any) -> tuple[dict[str, str], str]:
    """The variables of an execution with this message, and its id."""
    seen: dict[str, str] = {}
    actor = emulator.client().register(lambda context: seen.update(context.environment), name="asked")
    execution = actor.send(message).wait()
    return seen, execution.id


@pytest.mark.parametrize(
    "client", ["agavepy", *(pytest.param(each, marks=pytest.mark.slow) for each in ("tapispy", "tapipy"))]
)
@pytest.mark.walks("agavepy", "tapispy", "tapipy", steps=["actor-side context"])
def test_get_context_has_the_json_that_was_sent(
    emulator: Emulator, python_of: Callable[[str], Path], client: str
) -> None:
    """spec: execution #29, #28"""
    environment, execution_id = environment_of(emulator, MESSAGE)
    command = [python_of(client), "-W", "ignore", "-c", PROGRAM.format(MODULES[client])]

    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)

    context = json.loads(shown.stdout)
    assert context["message_dict"] == MESSAGE
    assert context["execution_id"] == execution_id
    assert context["state"] == "{}"
    assert context.get("content_type") is None or client == "tapipy"
