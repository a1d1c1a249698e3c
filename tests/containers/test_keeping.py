"""Containers that are kept after their end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from abacito.abaco.time import real_monotonic
from abacito.emulator import Emulator
from abacito.settings import Settings

pytestmark = pytest.mark.docker


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def kept() -> set[str]:
    return set(docker("ps", "-a", "--filter", "name=^abacito-kept-", "--format", "{{.Names}}").split())


@pytest.fixture
def mine() -> Iterator[set[str]]:
    """The names of the test's own, which are taken away after it; other tests run at the same time."""
    names: set[str] = set()
    yield names
    for name in names & kept():
        docker("rm", name)


@pytest.mark.parametrize(("keep", "stays"), [("never", set()), ("failed", {"7"}), ("always", {"7", "0"})])
def test_those_that_are_wanted_stay_and_can_be_looked_into(
    keep: str, stays: set[str], mine: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(Settings.read(port=0, runner="docker", keep_containers=keep)) as emulator:
        actor = emulator.client().register("fails").wait(within_s=60)
        names = {code: f"abacito-kept-{actor.send(code).wait(60).id}" for code in ("7", "0")}
        mine |= set(names.values())
        deadline = real_monotonic() + 20  # it is recorded first, and then it is renamed or removed
        while {names[code] for code in stays} - kept() or emulator.runner.names():
            assert real_monotonic() < deadline
        emulator.reset()

    found = {code for code, name in names.items() if name in kept()}
    assert found == stays
    for code in stays:
        name = names[code]
        assert f"kept {name}: docker logs {name}; docker cp {name}:/PATH .; docker rm {name}" in caplog.text
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() == code


def test_the_next_emulator_leaves_alone_what_a_command_has_kept(mine: set[str]) -> None:
    command = [sys.executable, "-m", "abacito", "run", "fails", "-m", "7", "--runner", "docker"]
    done = subprocess.run([*command, "--keep-containers", "failed"], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    (name,) = {word for word in done.stderr.replace(":", " ").replace(";", " ").split() if "abacito-kept-" in word}
    mine.add(name)

    with Emulator(Settings.read(port=0, runner="docker")):
        assert name in kept()


def test_a_session_of_tests_is_not_warned_of_what_it_was_told_to_keep(
    pytester: pytest.Pytester, mine: set[str]
) -> None:
    pytester.makepyfile(
        """
        def test_fails(abacito):
            execution = abacito.register("fails").send("3").wait(60)
            print("name", execution.id)
            assert execution.exit_code == 0
        """
    )

    result = pytester.runpytest_subprocess("--abacito-runner=docker", "--abacito-keep-containers=failed")

    result.assert_outcomes(failed=1)
    (line,) = [line for line in result.outlines if line.startswith("name ")]
    name = f"abacito-kept-{line.split()[1]}"
    mine.add(name)
    assert name in kept()
    result.stdout.fnmatch_lines([f"*it is kept: docker logs {name}; docker cp {name}:/PATH .; docker rm {name}"])
    assert "left after all tests" not in result.stdout.str()


def test_where_no_containers_are_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(Settings.read(port=0, runner="process", keep_containers="always")):
        assert "keep_containers = 'always': actors run as processes, which leave no container" in caplog.text
