"""tox's matrix: each environment is what it is called, and docs/matrix.md says what that is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from abacito.client import Abaco
from abacito.emulator import Emulator
from tests.scripts import ROOT, script

HERE = f"py{sys.version_info.major}{sys.version_info.minor}"


def names_of_this_run(abacito: Abaco, emulator: Emulator) -> set[str]:
    """The environments of tox whose promise this run keeps."""
    actor = abacito.register("echo")
    case = "snake" if "create_time" in abacito.send("GET", actor.path).json()["result"] else "camel"
    engine = "ministack" if emulator.settings.endpoint_url else "moto"
    names = {HERE, f"case-{case}", f"runner-{emulator.runner.name}", f"engine-{engine}"}
    bounds = script("lowest").lowest()
    return names | {"lowest"} if all(same(version(name), bound) for name, bound in bounds.items()) else names


def same(installed: str, bound: str) -> bool:
    """Whether a version is this one, also if that was written shorter: 3.1.0 is 3.1."""
    return re.fullmatch(rf"{re.escape(bound)}(\.0)*", installed) is not None


def test_this_run_is_what_its_environment_is_called(abacito: Abaco, abacito_server: Emulator) -> None:
    assert os.environ.get("TOX_ENV_NAME", HERE) in names_of_this_run(abacito, abacito_server)


def test_the_page_says_what_each_environment_is() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "tox", "list", "-d", "-q", "--no-desc"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    ).stdout.split()  # fmt: skip
    rows = re.findall(r"^\| (`.*?) \|", Path(ROOT / "docs" / "matrix.md").read_text(), re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`(\S+?)`", row)} == set(listed)
