"""What docs/pytest.md shows is run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from abacito import pytest_plugin
from tests import pages

PAGE = (pages.DOCS / "pytest.md").read_text()


def blocks(language: str) -> list[str]:
    return [block.text for block in pages.blocks("pytest.md", language)]


def test_the_examples_of_the_page_pass(pytester: pytest.Pytester) -> None:
    for number, example in enumerate(blocks("python")):
        pytester.makepyfile(**{f"test_example_{number}": example})

    result = pytester.runpytest_subprocess("--abacito-runner=process", "-W", "error")

    result.assert_outcomes(passed=len(blocks("python")))


def test_the_example_without_pytest_runs_without_it(tmp_path: Path) -> None:
    example = next(block for block in blocks("python") if "unittest" in block)
    (tmp_path / "test_greeter.py").write_text(f"{example}\nassert 'pytest' not in __import__('sys').modules\n")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "-v", "test_greeter"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert (done.returncode, "test_echo" in done.stderr) == (0, True), done.stderr


def test_the_lines_for_the_shell_run(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {name: text for name, text in os.environ.items() if not name.startswith("ABACITO_")}

    for script in blocks("sh"):
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=tmp_path, env={**plain, "PATH": path, "ABACITO_RUNNER": "process"}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, "Actors retrieved successfully." in done.stdout) == (0, True), done.stderr


def test_every_fixture_and_option_is_on_the_page() -> None:
    source = Path(pytest_plugin.__file__).read_text()
    fixtures = set(re.findall(r"@pytest\.fixture.*\ndef (abacito\w*)\(", source))
    options = set(re.findall(r'"(--abacito-[a-z-]+)",$', source, re.MULTILINE))

    assert len(fixtures) >= 6
    assert len(options) >= 4
    assert [name for name in fixtures | options if f"`{name}`" not in PAGE] == []
