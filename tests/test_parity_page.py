"""What docs/parity.md shows is run as it stands there, and its table is the code's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from abacito.cli import main
from abacito.scenario import alike, gaps, references

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "parity.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_lines_for_the_shell_find_the_story_the_same_on_two_emulators(tmp_path: Path) -> None:
    story, known = blocks("yaml")
    (tmp_path / "greets.yaml").write_text(story)
    (tmp_path / "parity-gaps.yaml").write_text(known)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {name: text for name, text in os.environ.items() if not name.startswith("ABACITO_")}

    (script,) = blocks("sh")
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path, env={**plain, "PATH": path, "ABACITO_RUNNER": "process"}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "same: an actor greets (greets.yaml)" in done.stdout


def test_the_file_of_gaps_shows_every_key(tmp_path: Path) -> None:
    (tmp_path / "gaps.yaml").write_text(blocks("yaml")[1])

    (gap,) = gaps.load(tmp_path / "gaps.yaml")

    assert gap.model_fields_set == set(gaps.Gap.model_fields)


def test_every_field_of_a_reference_and_every_header_is_on_the_page() -> None:
    named = {name.replace("_", "").lower() for name in re.findall(r"`([\w-]+)`", PAGE)}

    assert [
        name for name in {*references.FIELDS, *references.USERS_OWN} if name.replace("_", "").lower() not in named
    ] == []
    assert [name for name in alike.HEADERS if name not in named] == []


@pytest.mark.parametrize("option", ["--parity", "--gaps", "--json", "--junit", "--user-token"])
def test_its_options_are_the_commands(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["scenario", "run", "--help"], standalone_mode=False)

    assert f"`{option}" in PAGE
    assert option in capsys.readouterr().out
