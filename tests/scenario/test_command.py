"""The command ``abacito scenario``, on a canned server."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from abacito.cli import main

if TYPE_CHECKING:
    from tests.scenario.conftest import Canned


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    handler, level = signal.getsignal(signal.SIGTERM), logging.getLogger("abacito").level
    yield
    signal.signal(signal.SIGTERM, handler)
    logging.getLogger("abacito").setLevel(level)


@pytest.fixture
def good(tmp_path: Path, canned: Canned) -> Path:
    canned.answer("GET /good", {"id": "x" * 300})
    return written(tmp_path / "good.yaml", "{get: /good, note: all is well}")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path / "bad.yaml", "{get: /bad}")


def written(path: Path, *steps: str) -> Path:
    path.write_text(f"title: the story {path.stem}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps))
    return path


def abacito(*words: object) -> Result:
    return CliRunner().invoke(main, ["scenario", *map(str, words)], env={"ABACITO_TARGET": None, "ABACITO_TOKEN": None})


def played(canned: Canned, *words: object) -> Result:
    return abacito("run", "--target", canned.url, "--token", "t", "--case", "camel", *words)


def test_a_story_that_passes_ends_with_0(canned: Canned, good: Path) -> None:
    result = played(canned, good)

    assert result.exit_code == 0
    assert "1 of 1 stories passed, 0 failed" in result.stderr
    assert canned.asked[0].headers["authorization"] == "Bearer t"


def test_each_step_is_shown_with_its_note_request_answer_and_time(canned: Canned, good: Path) -> None:
    lines = [line.strip() for line in played(canned, good).stdout.splitlines()]

    assert lines[0] == f"the story good ({good})"
    assert lines[1:3] == ["1  all is well", "GET /good"]
    assert lines[3].startswith("200 after 0.")
    assert lines[4].startswith('< fine {"id": "xxx')
    assert lines[4].endswith("xxx …")


def test_verbose_shows_answers_in_full(canned: Canned, good: Path) -> None:
    assert "x" * 300 in played(canned, good, "-v").stdout


@pytest.mark.parametrize(("no_color", "is_styled"), [(None, True), ("1", False)])
def test_a_terminal_gets_styles_unless_no_color_is_set(
    canned: Canned, good: Path, monkeypatch: pytest.MonkeyPatch, no_color: str | None, is_styled: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any output for a terminal then
    monkeypatch.setenv("TERM", "xterm")
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)

    assert ("\x1b[" in played(canned, good).stdout) == is_styled


def test_a_container_log_is_shown_with_the_step_that_waited(canned: Canned, tmp_path: Path) -> None:
    canned.answer("POST /actors/a/messages", {"executionId": "e"})
    canned.answer("GET /actors/a/executions/e", {"status": "COMPLETE"})
    canned.answer("GET /actors/a/executions/e/logs", {"logs": "\n".join(f"line {n}" for n in range(1, 51))})
    story = written(tmp_path / "s.yaml", "{post: /actors/a/messages, form: {message: hi}, wait: {status: COMPLETE}}")

    lines = [line.strip() for line in played(canned, story).stdout.splitlines()]

    assert "> message=hi" in lines
    assert "| … 10 lines before (-v shows them)" in lines
    assert lines[-1] == "| line 50"


def test_a_story_that_fails_ends_with_1_and_tells_why(canned: Canned, bad: Path) -> None:
    result = played(canned, bad)

    assert result.exit_code == 1
    assert f"{bad}:3: step 1: GET /bad" in result.stdout


def test_exitfirst_stops_at_the_first_story_that_fails(canned: Canned, good: Path, bad: Path) -> None:
    assert "1 of 2 stories passed, 1 failed" in played(canned, bad, good).stderr
    assert "0 of 2 stories passed, 1 failed" in played(canned, "-x", bad, good).stderr


def test_a_folder_means_all_stories_in_it(canned: Canned, good: Path, bad: Path) -> None:
    result = abacito("check", good.parent)

    assert result.exit_code == 0
    assert result.stdout == f"{bad}: the story bad (1 steps)\n{good}: the story good (1 steps)\n"
    assert canned.asked == []


def test_a_wrong_story_is_told_before_any_is_played(canned: Canned, good: Path, tmp_path: Path) -> None:
    wrong = written(tmp_path / "wrong.yaml", "{gett: /x}")

    result = played(canned, good, wrong)

    assert result.exit_code == 2
    assert result.stderr == f"abacito: {wrong}:3:6: unknown key 'gett': did you mean 'get'?\n"
    assert canned.asked == []


def test_check_tells_every_wrong_story(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / f"{name}.yaml", "{gett: /x}")

    result = abacito("check", tmp_path)

    assert result.exit_code == 2
    assert result.stderr.count("did you mean 'get'?") == 2


def test_steps_as_a_user_take_the_token_given_for_it(canned: Canned, tmp_path: Path) -> None:
    canned.answer("GET /x", None)
    story = written(tmp_path / "s.yaml", "{get: /x, as: jane}")

    assert played(canned, story, "--user-token", "jane=tj").exit_code == 0
    assert canned.asked[0].headers["authorization"] == "Bearer tj"
    assert played(canned, story).exit_code == 2


def test_a_target_that_does_not_answer_ends_with_3(good: Path) -> None:
    result = abacito("run", "--target", "http://127.0.0.1:9", good)

    assert result.exit_code == 3
    assert result.stderr.startswith("abacito: no answer from http://127.0.0.1:9")


@pytest.mark.parametrize(
    "words",
    [
        ("--token", "t"),
        ("--user-token", "jane=t"),
        ("--target", "http://127.0.0.1:9", "--runner", "docker"),
        ("--target", "http://127.0.0.1:9", "--user-token", "jane"),
    ],
)
def test_options_that_do_not_go_together_end_with_2(good: Path, words: tuple[str, ...]) -> None:
    assert abacito("run", good, *words).exit_code == 2


def test_an_empty_folder_ends_with_2(tmp_path: Path) -> None:
    assert abacito("check", tmp_path).exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    heavy = {"pydantic", "requests", "rich", "ruamel", "flask", "boto3", "moto", "docker"}
    program = f"import sys, abacito.cli.scenario; print(*({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
