"""The clients' executors: functions sent to an actor, and their values fetched later."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings

# Everything by the helper classes' own means; they wait for READY, and for the end, by themselves.
_PROGRAM = """
import json, sys
from {module} import {kind}
from {package}.actors import AbacoExecutor
server, proxy, token, image = sys.argv[1:]
client = {kind}(api_server=server, verify=False, proxies={{"https": proxy}}, token=token)
executor = AbacoExecutor(client, image=image, num_workers=2)
answer = executor.submit(lambda a, b=0: a + b, 4, b=3)
seen = {{"submitted": answer.result(), "done": answer.done(), "running": answer.running()}}
seen["mapped"] = sorted(value for each in executor.map(lambda n: n * n, [[1], [2], [3]]) for value in each.result())
seen["blocking"] = executor.blocking_call(lambda: "value")
again = AbacoExecutor(client, actor_id=executor.actor_id)
seen["existing"] = [again.status, again.blocking_call(len, [1, 2])]
seen["workers"] = len(client.actors.listWorkers(actorId=executor.actor_id)) >= 2
executor.delete()
seen["left"] = len(client.actors.list())
print(json.dumps(seen))
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


@pytest.mark.parametrize(
    ("client", "module", "kind"),
    [
        ("agavepy", "agavepy.agave", "Agave"),
        pytest.param("tapispy", "tapispy.tapis", "Tapis", marks=pytest.mark.slow),
    ],
)
@pytest.mark.walks("agavepy", "tapispy", steps=["executors", "async responses"])
def test_an_executor_runs_functions_in_an_actor_and_fetches_their_values(
    emulator: Emulator, python_of: Callable[[str], Path], client: str, module: str, kind: str
) -> None:
    """spec: clients #42; spec: execution #46"""
    program = _PROGRAM.format(module=module, kind=kind, package=client)
    arguments = ("https://api.tacc.utexas.edu", emulator.url, emulator.token, "abacosamples/py3_func:dev")
    command = [python_of(client), "-W", "ignore", "-c", program, *arguments]

    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "submitted": [7],
        "done": True,
        "running": False,
        "mapped": [1, 4, 9],
        "blocking": ["value"],
        "existing": ["READY", [2]],
        "workers": True,
        "left": 0,
    }
