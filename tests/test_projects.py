"""The example projects, run by tox as their users run them, but for what would be fetched from the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECTS = Path(__file__).resolve().parent.parent / "fixtures" / "projects"
TAG = "abacito-examples/greeter:latest"
# Its virtual environment stays empty; the pytest that runs is the one beside this interpreter, with abacito's plugin.
OFFLINE = ["-x", "testenv.deps=", "-x", "testenv.allowlist_externals=pytest"]


@pytest.fixture
def greeter(tmp_path: Path) -> Path:
    """A copy, so that nothing is written to the original, and no settings of this project's count."""
    ignored = shutil.ignore_patterns(".tox", "__pycache__", ".pytest_cache")
    return Path(shutil.copytree(PROJECTS / "greeter", tmp_path / "greeter", ignore=ignored))


def tox(project: Path, environment: str, *arguments: str) -> str:
    """What tox prints. Fails unless all of the environment's tests pass."""
    outer = {name: text for name, text in os.environ.items() if not name.startswith(("TOX_", "ABACITO_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{outer['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "tox", "run", "-e", environment, *OFFLINE, "--", "-p", "no:cacheprovider", *arguments],
        cwd=project, env={**outer, "PATH": path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("case", ["camel", "snake"])
def test_the_example_passes_without_docker(greeter: Path, case: str) -> None:
    assert "4 passed" in tox(greeter, f"py3-process-{case}-folder")


@pytest.mark.docker
@pytest.mark.parametrize("case", ["camel", "snake"])
def test_the_example_passes_in_containers(greeter: Path, case: str) -> None:
    assert "4 passed" in tox(greeter, f"py3-docker-{case}-folder")


@pytest.fixture
def tagged() -> Iterator[None]:
    """The example's image under its tag, as ``docker build`` makes it; built by us, for its base is not in reach."""
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    if subprocess.run(["docker", "image", "inspect", TAG], capture_output=True, check=False).returncode == 0:
        pytest.skip(f"the daemon has an image {TAG} of somebody else's")
    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        image_id = emulator.runner.prepare(f"dir:{PROJECTS / 'greeter' / 'greeter'}")
    subprocess.run(["docker", "tag", image_id, TAG], check=True)
    yield
    subprocess.run(["docker", "rmi", TAG], check=True, capture_output=True)


@pytest.mark.docker
@pytest.mark.usefixtures("tagged")
def test_the_example_passes_on_a_tagged_image(greeter: Path) -> None:
    shutil.rmtree(greeter / "greeter")  # it is not looked at

    assert "4 passed" in tox(greeter, "py3-docker-camel-latest")


def test_tox_names_an_environment_for_each_runner_and_case(greeter: Path) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "tox", "list", "-d", "-q", "--no-desc"],
        cwd=greeter, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    wanted = {f"py3-{runner}-{case}-folder" for runner in ("docker", "process") for case in ("camel", "snake")}
    assert set(listed.stdout.split()) == wanted
