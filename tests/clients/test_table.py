"""The table in docs/clients.md is the one that the tests give, without a hole, and what it calls impossible is so."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from abacito.emulator import Emulator
from tests.scripts import ROOT, script

PAGE = ROOT / "docs" / "clients.md"

#: Cells that neither a test nor a reason fills yet. A test claims its cells by ``@pytest.mark.walks``, and takes them
#: from here.
NOT_TRIED: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def clients() -> ModuleType:
    return script("clients")


def test_the_table_of_clients_is_the_one_that_the_tests_give(clients: ModuleType) -> None:
    text = PAGE.read_text()

    assert text == clients.page(text), "run python scripts/clients.py"


def test_every_step_is_tried_with_every_client_or_cannot_be_done(clients: ModuleType) -> None:
    assert clients.not_tried() == NOT_TRIED


def test_a_cell_that_no_test_claims_is_shown_as_not_tried(clients: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "STEPS", (*clients.STEPS, "dance"))

    assert ("curl", "dance") in clients.not_tried()
    assert "| dance | not tried | not tried | not tried | not tried | not tried |" in clients.table()


@pytest.mark.parametrize(("client", "step"), [("curl", "dance"), ("wget", "list"), ("tapis-cli", "configs")])
def test_a_claim_that_is_no_cell_or_cannot_be_done_is_told(
    clients: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str, step: str
) -> None:
    mark = f'@pytest.mark.walks("{client}", steps=["{step}"])'
    (tmp_path / "test_it.py").write_text(f"{mark}\ndef test_it(): ...\n")
    monkeypatch.setattr(clients, "TESTS", tmp_path)

    with pytest.raises(SystemExit, match=f"test_it.py: test_it claims .*{step}"):
        clients.walked()


_TAPIPY = """
import json, sys
from tapipy.actors import AbacoExecutor
from tapipy.tapis import Tapis

client = Tapis(base_url=sys.argv[1], access_token=sys.argv[2])
seen = {"operations": dir(client.actors)}
for how in ({"image": "abacosamples/py3_func"}, {"actor_id": "any"}):
    try:
        AbacoExecutor(client, **how)
    except AttributeError as error:
        seen[next(iter(how))] = str(error)
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_tapipy_has_no_configs_and_its_executor_calls_what_is_not_there(
    emulator: Emulator, python_of: Callable[[str], Path]
) -> None:
    command = [python_of("tapipy"), "-W", "ignore", "-c", _TAPIPY, emulator.url, emulator.token_for("jdoe")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert "send_message" in seen["operations"]
    assert [each for each in seen["operations"] if "onfig" in each] == []
    assert "'listActors'" in seen["image"]
    assert "'get'" in seen["actor_id"]
