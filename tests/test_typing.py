"""What the package says of its types (``py.typed``) is enough for a strictly checked test suite of a user's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import abacito

SUITE = """\
import json

import pytest

from abacito import Abaco, Actor, Clock, Context, Emulator, Execution, Faults, Settings


def counts(context: Context) -> None:
    assert isinstance(context.message, str)
    context.send_result(json.dumps(len(context.message.split())))


@pytest.fixture(scope="session")
def abacito_settings() -> Settings:
    return Settings.read(port=0, max_workers_per_actor=2)


@pytest.fixture
def counter(abacito: Abaco) -> Actor:
    return abacito.register(counts, stateless=False).wait()


def test_counting(counter: Actor) -> None:
    execution: Execution = counter.send("to be", GREETING="hello").wait(within_s=5)
    code: int | None = execution.exit_code
    results: list[bytes] = execution.results
    assert (code, results, execution.logs.strip()) == (0, [b"2"], "")


def test_the_rest(abacito_emulator: Emulator, abacito_clock: Clock, abacito_faults: Faults, counter: Actor) -> None:
    with abacito_clock.travel(hours=4) as moved:
        assert moved.now.tzinfo is not None
    fault = abacito_faults.killed(counter, after_s=1, times=2)
    assert fault.struck + (fault.left or 0) == 2
    assert abacito_emulator.token_for("jdoe")
"""


SLIPS = """\
import abacito

abacito.Emulater()
abacito.Emulator().token_for(1)
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy has against both, outside of this project and its settings."""
    folder = tmp_path_factory.mktemp("typed")
    (folder / "test_mine.py").write_text(SUITE)
    (folder / "slips.py").write_text(SLIPS)
    plain = {name: text for name, text in os.environ.items() if name != "MYPYPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "."],
        cwd=folder, env=plain, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def test_a_strictly_typed_suite_is_accepted(complaints: list[str]) -> None:
    assert [line for line in complaints if line.startswith("test_mine.py")] == []


def test_slips_are_found(complaints: list[str]) -> None:
    assert [line.split(":")[:2] for line in complaints if "error:" in line] == [["slips.py", "3"], ["slips.py", "4"]]


def test_the_suite_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=2)


def test_every_public_name_can_be_imported() -> None:
    assert [name for name in abacito.__all__ if getattr(abacito, name).__name__ != name] == []
