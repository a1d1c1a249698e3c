"""An emulator whose Docker daemon goes away and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.containers.relay import Relay


@pytest.mark.docker
def test_messages_wait_while_the_daemon_is_away_and_all_run_when_it_is_back(
    relay: Relay, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """spec: execution #102"""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{short_folder}/d.sock")
    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        actor = emulator.client().register("echo", stateless=False).wait(within_s=60)
        actor.send("before").wait()

        relay.cut()
        executions = [actor.send(f"message {number}") for number in range(4)]
        assert emulator.health()["runner"] != "ok"
        assert {each.status for each in executions} == {"SUBMITTED"}
        relay.mend()

        for execution in executions:
            execution.wait(60)
        assert {each.status for each in executions} == {"COMPLETE"}
        assert [each.logs for each in executions] == [f"message {number}\n" for number in range(4)]
        assert actor.status == "READY"
        emulator.check()
