"""docs/tutorial.md is followed to the letter, in an empty folder: each file, each command, what each writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages

PAGE = pages.blocks("tutorial.md", "sh", "text", "python", "dockerfile", "ini")
# Whatever ends the script ends what it has started beside it.
LEAVING = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


def follow(folder: Path, runner: str) -> str:
    """What a reader's shell writes, with a free port, and a tox that fetches nothing from the network."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("ABACITO_", "TOX_", "PYTEST_"))}
    reader = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ABACITO_RUNNER": runner,
        "ABACITO_PORT": "0",
        "TOX_OVERRIDE": "testenv.deps=;testenv.allowlist_externals=pytest;testenv.pass_env=PYTHONPATH",
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", LEAVING + pages.script(PAGE)],
        cwd=folder, env={**plain, **reader}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_who_follows_the_tutorial_sees_what_it_says(tmp_path: Path, runner: str) -> None:
    pages.check(PAGE, follow(tmp_path, runner))
