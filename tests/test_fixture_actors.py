"""The bundled actors show what they are named after, on every runner that can honour it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from random import randrange

import pytest

from abacito.abaco.bookkeeping import TRUNCATED
from abacito.abaco.time import real_monotonic
from abacito.client import Abaco, WaitedInVain
from abacito.emulator import Emulator
from abacito.settings import Settings


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner=request.param)) as running:
        yield running
        running.check()


@pytest.fixture
def abaco(emulator: Emulator) -> Iterator[Abaco]:
    client = emulator.client()
    yield client
    client.close()


def test_counts_keeps_its_count_in_its_state(abaco: Abaco) -> None:
    """spec: execution #108"""
    actor = abaco.register("counts", stateless=False).wait(within_s=60)

    executions = [actor.send(str(number)) for number in range(20)]

    assert [each.wait(120).logs for each in executions] == [f"count: {number}\n" for number in range(1, 21)]
    assert actor.details["state"] == {"count": 20}


def test_floods_log_is_cut_at_the_limit(abaco: Abaco) -> None:
    execution = abaco.register("floods_log").wait(within_s=60).send("3").wait(60)

    assert execution.exit_code == 0
    assert len(execution.logs) == 1_000_000 + len(TRUNCATED)
    assert execution.logs.endswith(TRUNCATED)


def test_leaves_children_ends_without_waiting_for_them(abaco: Abaco) -> None:
    began = real_monotonic()

    execution = abaco.register("leaves_children").wait(within_s=60).send("x").wait()

    assert (execution.exit_code, execution.logs) == (0, "left three children\n")
    assert real_monotonic() - began < 40


def test_fills_memory_is_killed_at_its_limit_or_the_limit_is_refused_by_name(emulator: Emulator, abaco: Abaco) -> None:
    """spec: execution #60"""
    actor = abaco.register("fills_memory", mem_limit="32m")

    if emulator.runner.name == "docker":
        details = actor.wait(within_s=60).send("100").wait(60).details
        assert (details["status"], details["exit_code"]) == ("COMPLETE", 137)
        assert details["final_state"]["OOMKilled"] is True
    else:
        execution = actor.wait(within_s=60).send("100").wait()
        assert execution.status == "ERROR"
    assert abaco.register("fills_memory").wait(within_s=60).send("5").wait().logs == "took: 5 MB\n"


def test_no_process_of_a_container_outlives_it(emulator: Emulator, abaco: Abaco) -> None:
    life_s = str(randrange(100_000, 1_000_000))  # by which its children are known from those of any other test
    abaco.register("leaves_children").wait(within_s=60).send(life_s).wait()

    left = subprocess.run(["pgrep", "-f", f"^sleep {life_s}$"], capture_output=True, text=True, check=False)

    assert left.stdout == ""


def test_an_actor_that_a_runner_does_not_have_is_named(abaco: Abaco) -> None:
    with pytest.raises(WaitedInVain, match="nobody/has:this"):
        abaco.register("nobody/has:this").wait(within_s=60)
