"""The command ``abacito scenario``, on a canned server."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

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


def tagged(path: Path, *tags: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"title: the story {path.stem}\ntags: [{', '.join(tags)}]\nsteps:\n  - {{get: /{path.stem}}}\n")
    return path


#: click before 8.2 mixes the two streams unless told; 8.2 never does, and does not know the word.
STREAMS_APART: Any = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}


def abacito(*words: object) -> Result:
    cleared = {"ABACITO_TARGET": None, "ABACITO_TOKEN": None}
    return CliRunner(**STREAMS_APART).invoke(main, ["scenario", *map(str, words)], env=cleared)


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


def test_a_user_whom_a_later_story_needs_is_asked_for_before_the_first_is_played(
    canned: Canned, good: Path, tmp_path: Path
) -> None:
    needy = tmp_path / "needy.yaml"
    needy.write_text("title: t\nusers: {jane: {}}\nsteps:\n  - {get: /good, as: jane}\n")

    result = played(canned, good, needy)

    assert result.exit_code == 2
    assert result.stderr == f"abacito: {needy}:2: the story needs the user 'jane': --user-token jane=TOKEN\n"
    assert canned.asked == []
    assert played(canned, good, needy, "--user-token", "jane=tj").exit_code == 0


def test_an_emulator_of_our_own_has_the_users_of_the_story(tmp_path: Path) -> None:
    story = tmp_path / "s.yaml"
    story.write_text(
        "title: t\nusers: {jane: {}, boss: {roles: [Internal/abaco-admin]}}\nsteps:\n"
        "  - {get: /profiles/v2/me, as: jane, expect: {result: {username: jane}}}\n"
        "  - {get: /actors/admin, as: boss}\n"
        "  - {get: /actors/admin, as: jane, expect: {status: error}}\n"
    )

    result = abacito("run", story, "--runner", "process")

    assert result.exit_code == 0, result.stdout


def test_a_cyclic_include_ends_with_2_and_nothing_is_played(canned: Canned, good: Path, tmp_path: Path) -> None:
    one, two = (
        written(tmp_path / "one.yaml", "{include: two.yaml}"),
        written(tmp_path / "two.yaml", "{include: one.yaml}"),
    )

    result = played(canned, good, one)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"abacito: {two}:3:6: 'one.yaml' is included by itself: {one} → {two} → {one}")
    assert canned.asked == []


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


@pytest.fixture
def shelf(tmp_path: Path, canned: Canned) -> Path:
    """Three stories that pass: ``alpha`` (tags one, both), ``beta`` (two, both), ``below/gamma`` (none)."""
    for name in ("alpha", "beta", "gamma"):
        canned.answer(f"GET /{name}", None)
    tagged(tmp_path / "alpha.yaml", "one", "both")
    tagged(tmp_path / "beta.yaml", "two", "both")
    tagged(tmp_path / "below" / "gamma.yaml")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "selected"),
    [
        ((), "alpha beta gamma"),
        (("-k", "ALPHA"), "alpha"),
        (("-k", "story b"), "beta"),
        (("-k", "below"), "gamma"),
        (("-k", "two"), "beta"),
        (("-k", "alpha", "-k", "gamma"), "alpha gamma"),
        (("--tag", "both"), "alpha beta"),
        (("--tag", "bot", "--tag", "one"), "alpha"),
        (("--tag", "both", "-k", "beta"), "beta"),
    ],
)
def test_words_and_tags_select_stories(canned: Canned, shelf: Path, words: tuple[str, ...], selected: str) -> None:
    result = played(canned, shelf, *words)

    assert result.exit_code == 0
    assert sorted(line.removeprefix("GET /") for line in canned.lines) == selected.split()
    assert f"{len(canned.lines)} of {len(canned.lines)} stories passed" in result.stderr


def test_to_select_nothing_ends_with_2(canned: Canned, shelf: Path) -> None:
    result = played(canned, shelf, "-k", "delta", "--tag", "one")

    assert result.exit_code == 2
    assert "none of 3 stories is selected by -k delta --tag one" in result.stderr
    assert canned.asked == []


def test_stories_are_played_at_once_and_shown_one_after_the_other(canned: Canned, shelf: Path) -> None:
    canned.hold = threading.Barrier(3, timeout=20).wait  # nobody is answered before all three have asked

    result = played(canned, shelf, "-n", "3")

    assert result.exit_code == 0
    lines = [line.split(" (")[0].strip() for line in result.stdout.splitlines()]
    named = [line for line in lines if "story" in line or "GET" in line]
    assert named == [
        "the story alpha",
        "1  GET /alpha",
        "the story gamma",
        "1  GET /gamma",
        "the story beta",
        "1  GET /beta",
    ]


def test_exitfirst_drops_what_is_played_at_the_same_time(canned: Canned, bad: Path, tmp_path: Path) -> None:
    canned.answer("GET /wait", "not yet")
    waits = written(tmp_path / "waits.yaml", "{get: /wait, wait: {until: {result: never}, within_s: 600}}")

    result = played(canned, bad, waits, "-n", "2", "-x")

    assert result.exit_code == 1
    assert "0 of 2 stories passed, 1 failed" in result.stderr
    assert "the story waits" not in result.stdout


def test_stories_played_at_once_have_an_emulator_each(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(
            tmp_path / f"{name}.yaml",
            "{get: /actors/v2, expect: {result: []}}",
            "{post: /actors/v2, json: {image: echo}, keep: {actor: result.id}}",
            "{post: '/actors/v2/{actor}/messages', form: {message: hi}, wait: {status: COMPLETE}}",
            "{get: /actors/v2, expect: {result: [{id: '{actor}'}]}}",
        )

    result = abacito("run", tmp_path, "--runner", "process", "-n", "2")

    assert result.exit_code == 0, result.stdout
    assert result.stderr.count("runner: process") == 1


def suite_in(file: Path) -> ElementTree.Element:
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    return suite


def test_junit_has_a_case_for_each_story_with_its_time(canned: Canned, shelf: Path) -> None:
    report = shelf / "new" / "report.xml"

    assert played(canned, shelf, "--junit", report).exit_code == 0

    suite = suite_in(report)
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }
    assert sorted(str(case.get("name")) for case in suite) == ["the story alpha", "the story beta", "the story gamma"]
    assert all(float(case.get("time", "-1")) >= 0 for case in suite)
    assert suite[0].get("file") == str(shelf / "alpha.yaml")
    assert str(suite[0].get("classname")).endswith(".alpha")


def test_junit_tells_why_a_story_failed_and_what_was_not_played(canned: Canned, bad: Path, good: Path) -> None:
    report = bad.parent / "report.xml"

    assert played(canned, bad, good, "-x", "--junit", report).exit_code == 1

    failed, unplayed = suite_in(report)
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == f"{bad}:3: step 1: GET /bad"
    assert "wanted status_code: below 400" in str(failure.text)
    assert unplayed.find("skipped") is not None
    assert suite_in(report).get("failures") == suite_in(report).get("skipped") == "1"


def test_junit_is_xml_whatever_an_actor_has_printed(canned: Canned, tmp_path: Path) -> None:
    canned.answer("POST /actors/a/messages", {"executionId": "e"})
    canned.answer("GET /actors/a/executions/e", {"status": "ERROR"})
    canned.answer("GET /actors/a/executions/e/logs", {"logs": "a bell \a, \x1b[31mred\x00 and <&>"})
    story = written(tmp_path / "s.yaml", "{post: /actors/a/messages, form: {message: hi}, wait: {status: COMPLETE}}")

    assert played(canned, story, "--junit", tmp_path / "report.xml").exit_code == 1

    failure = suite_in(tmp_path / "report.xml")[0].find("failure")
    assert failure is not None
    assert "a bell \ufffd, \ufffd[31mred\ufffd and <&>" in str(failure.text)


def test_a_report_that_cannot_be_written_ends_with_2(canned: Canned, good: Path) -> None:
    result = played(canned, good, "--junit", good / "report.xml")

    assert result.exit_code == 2
    assert "report.xml cannot be written" in result.stderr


def test_the_schema_is_json_and_describes_a_story() -> None:
    result = abacito("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["required"] == ["title", "steps"]


def test_help_imports_nothing_heavy() -> None:
    heavy = {"pydantic", "requests", "rich", "ruamel", "flask", "boto3", "moto", "docker"}
    program = f"import sys, abacito.cli.scenario; print(*({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
