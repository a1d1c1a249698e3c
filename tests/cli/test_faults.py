"""``abacito faults`` against a running emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from abacito.abaco.faults import KINDS
from abacito.emulator import Emulator
from abacito.settings import Settings


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="process")) as found:
        yield found


def faults(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "abacito", "faults", *arguments, "--target", target]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_fault_is_added_listed_and_cleared(emulator: Emulator) -> None:
    actor = emulator.client().register(lambda context: None).wait()

    added = faults(emulator.url, "add", "exits", "--actor", actor.id, "--exit-code", "3")
    assert (added.returncode, added.stderr) == (0, "")
    name = added.stdout.strip()
    assert actor.send("x").wait().exit_code == 3

    line = f"{name}  exits  struck 1, 0 left  actor={actor.id} exit_code=3 times=1 probability=1.0 seed="
    assert faults(emulator.url, "list").stdout.startswith(line)
    assert faults(emulator.url, "clear", name).stdout.startswith(line)
    assert faults(emulator.url, "list").stdout == ""


def test_all_are_cleared_when_none_is_named(emulator: Emulator) -> None:
    for kind in ("hangs", "slow"):
        faults(emulator.url, "add", kind, "--times", "0")

    cleared = json.loads(faults(emulator.url, "clear", "--json").stdout)

    assert [(fault["kind"], fault["left"]) for fault in cleared] == [("hangs", None), ("slow", None)]
    assert json.loads(faults(emulator.url, "list", "--json").stdout) == []


def test_a_probability_is_told_with_the_seed_that_repeats_it(emulator: Emulator) -> None:
    added = faults(emulator.url, "add", "answers", "--path", "/actors/**", "--probability", "0.5", "--json")

    assert added.stderr == f"to be repeated with --seed {json.loads(added.stdout)['seed']}\n"


def test_what_is_no_fault_and_where_no_emulator_is_are_said_in_a_line(emulator: Emulator) -> None:
    wrong = faults(emulator.url, "add", "kiled")
    unset = faults(emulator.url, "clear", "f0")
    nobody = faults("http://127.0.0.1:9", "list")

    assert (wrong.returncode, "did you mean 'killed'?" in wrong.stderr) == (1, True)
    assert (unset.returncode, "No fault is set as 'f0'" in unset.stderr) == (1, True)
    assert (nobody.returncode, "no abacito answers" in nobody.stderr) == (3, True)
    assert "Traceback" not in wrong.stderr + unset.stderr + nobody.stderr


def test_the_help_names_every_kind_on_a_line_of_its_own(emulator: Emulator) -> None:
    lines = faults(emulator.url, "add", "--help").stdout.splitlines()

    assert {line.split()[0] for line in lines if line.strip()} >= {*KINDS}
