"""Functions sent as messages, as the clients' executors send them."""

from __future__ import annotations

from collections.abc import Iterator

import cloudpickle
import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner=request.param)) as found:
        yield found


def test_a_function_sent_as_a_message_gives_back_its_value(emulator: Emulator) -> None:
    """spec: execution #45"""
    actor = emulator.client().register("abacosamples/py3_func").wait(within_s=120)
    call = cloudpickle.dumps({"func": lambda a, b, c: a + b + c, "args": [5, 5], "kwargs": {"c": 7}})

    execution = actor.send(call).wait(60)

    assert execution.exit_code == 0, execution.logs
    assert [cloudpickle.loads(result) for result in execution.results] == [17]
