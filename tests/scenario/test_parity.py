"""Stories on two servers: like ones are alike, and each difference is found at its place, with nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from tests.scenario.test_library import SCENARIOS, STORIES, in_library
from tests.serving import Reply, front

from abacito.cli import main
from abacito.emulator import Emulator
from abacito.scenario.ask import Target
from abacito.scenario.parity import EXPECTATIONS, Comparison, Theirs, compare
from abacito.scenario.story import load, read
from abacito.scenario.users import settings_for
from abacito.settings import Settings

Alter = Callable[[str, Reply], None]

STORY = """
title: two actors
actors: {one: echo, two: echo}
steps:
  - get: /actors/v2/{one}
    wait: {until: {result: {status: READY}}}
  - get: /actors/v2/{two}
    wait: {until: {result: {status: READY}}}
  - get: /actors/v2
  - for_each: {message: [hello, goodbye]}
    post: /actors/v2/{one}/messages
    form: {message: "{message}"}
    keep: {execution: result.executionId}
    wait: {status: COMPLETE}
  - get: /actors/v2/{one}/executions/{execution}
  - get: /actors/v2/{one}/executions/{execution}/logs
  - get: /actors/v2/{one}/executions
  - post: /actors/v2/{one}/nonces
    json: {maxUses: 1}
    keep: {nonce: result.id}
  - get: /actors/v2/{one}?x-nonce={nonce}
    as: nobody
  - get: /actors/v2/nope
    expect: {status: error}
"""


def a_target(emulator: Emulator, url: str | None = None) -> Target:
    return replace(Target.of(emulator), base_url=url or emulator.url)


@pytest.fixture(scope="module")
def emulators() -> Iterator[tuple[Emulator, Emulator]]:
    settings = Settings.read(port=0, runner="process")
    for path in STORIES:
        settings = settings_for(load(path), settings)
    with Emulator(settings) as ours, Emulator(settings) as theirs:
        yield ours, theirs


@pytest.fixture
def pair(emulators: tuple[Emulator, Emulator]) -> Iterator[tuple[Emulator, Emulator]]:
    for emulator in emulators:
        emulator.reset()
    yield emulators
    for emulator in emulators:
        emulator.check()


def one_of_each_folder() -> set[Path]:
    return {next(path for path in STORIES if path.parent == folder) for folder in {path.parent for path in STORIES}}


@pytest.mark.parametrize(
    "path",
    [path if path in one_of_each_folder() else pytest.param(path, marks=pytest.mark.slow) for path in STORIES],
    ids=in_library,
)
def test_two_emulators_are_alike(pair: tuple[Emulator, Emulator], path: Path) -> None:
    found = compare(load(path), *map(a_target, pair))

    assert found.failed == (None, None)
    assert "\n".join(map(str, found.divergences)) == ""
    assert found.answers > 0


def told(pair: tuple[Emulator, Emulator], alter: Alter, story: str = STORY) -> Comparison:
    ours, theirs = pair
    with front(theirs.url, alter) as url:
        return compare(read(story, "s.yaml"), a_target(ours), a_target(theirs, url))


def altering(line: str, alter: Callable[[dict[str, Any]], None]) -> Alter:
    """Alters the document with which requests like this are answered."""

    def altered(asked: str, reply: Reply) -> None:
        if re.fullmatch(line, asked):
            document = reply.json
            alter(document)
            reply.json = document

    return altered


def with_status(line: str, status: int) -> Alter:
    def altered(asked: str, reply: Reply) -> None:
        if re.fullmatch(line, asked):
            reply.status = status

    return altered


def with_type(line: str, content_type: str) -> Alter:
    def altered(asked: str, reply: Reply) -> None:
        if re.fullmatch(line, asked):
            reply.content_type = content_type

    return altered


class FirstActor:
    """Answers with the actor that was registered first, whichever is asked for by its id."""

    def __init__(self) -> None:
        self._first: dict[str, Any] | None = None

    def __call__(self, line: str, reply: Reply) -> None:
        if line == "POST /actors/v2" and self._first is None:
            self._first = reply.json["result"]
        if re.fullmatch(AN_ACTOR, line) and self._first:
            reply.json = {**reply.json, "result": {**reply.json["result"], "id": self._first["id"]}}


AN_ACTOR = r"GET /actors/v2/(?!nope)\w+"
AN_EXECUTION = r"GET /actors/v2/\w+/executions/\w+"

ALTERED: dict[str, tuple[Alter, set[tuple[int, str]]]] = {
    "nothing": (lambda line, reply: None, set()),
    "a text": (altering("GET /actors/v2", lambda it: it.update(message="Here they are.")), {(3, "message")}),
    "a refusal's text": (altering(".* /actors/v2/nope", lambda it: it.update(message="Who?")), {(10, "message")}),
    "a version": (altering("GET /actors/v2", lambda it: it.update(version="1.6.0")), {(3, "version")}),
    "a missing field": (altering(AN_EXECUTION, lambda it: it["result"].pop("executor")), {(5, "result.executor")}),
    "another field": (altering(AN_EXECUTION, lambda it: it["result"].update(queue="q")), {(5, "result.queue")}),
    "a missing time": (
        altering(AN_EXECUTION, lambda it: it["result"].pop("startTime", None)),
        {(5, "result.startTime")},
    ),
    "a number as text": (altering(AN_EXECUTION, lambda it: it["result"].update(cpu="1")), {(5, "result.cpu")}),
    "an exit code": (altering(AN_EXECUTION, lambda it: it["result"].update(exitCode=1)), {(5, "result.exitCode")}),
    "a log": (
        altering(AN_EXECUTION + "/logs", lambda it: it["result"].update(logs="hi\n")),
        {(4, "wait.logs"), (6, "result.logs")},
    ),
    "a status code": (with_status("POST .*/nonces", 201), {(8, "status_code")}),
    "a content type": (with_type("GET /actors/v2", "application/json; charset=utf-8"), {(3, "headers.content-type")}),
    "the order of executions": (
        altering("GET .*/executions", lambda it: it["result"]["executions"].reverse()),
        {(7, "result.executions.0.id"), (7, "result.executions.1.id")},
    ),
    "a time's shape": (
        altering("POST .*/nonces", lambda it: it["result"].update(createTime="2026-11-23T21:12:17.756123")),
        {(8, "result.createTime")},
    ),
    "that a time is the same": (
        altering("POST /actors/v2", lambda it: it["result"].update(lastUpdateTime="2026-11-23T21:12:17.756Z")),
        {(0, "result.lastUpdateTime")},
    ),
    "another's link": (
        altering(
            "POST .*/messages", lambda it: it["result"]["_links"].update(messages=it["result"]["_links"]["owner"])
        ),
        {(4, "result._links.messages")},
    ),
    "the wrong actor of two": (FirstActor(), {(2, "result.id")}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_each_difference_is_found_at_its_place_and_nothing_else_is(pair: tuple[Emulator, Emulator], what: str) -> None:
    alter, places = ALTERED[what]

    found = told(pair, alter)

    assert {(each.number, each.path) for each in found.divergences} == places, "\n".join(map(str, found.divergences))
    assert found.failed == (None, None)


def test_a_difference_tells_file_line_step_place_ours_and_theirs(pair: tuple[Emulator, Emulator]) -> None:
    (found,) = told(pair, FirstActor()).divergences

    assert str(found) == (
        's.yaml:7: step 2: GET /actors/v2/<actor 2>\n  result.id\n    ours   "<actor 2>"\n    theirs "<actor 1>"'
    )


def test_what_only_one_side_fulfils_is_a_difference_too(pair: tuple[Emulator, Emulator]) -> None:
    story = "title: t\nsteps:\n  - get: /actors/v2\n    expect: {version: {pattern: .}}\n  - get: /actors/v2\n"

    found = told(pair, altering("GET /actors/v2", lambda it: it.update(version="")), story)

    assert [each.path for each in found.divergences] == ["version", EXPECTATIONS]
    assert found.failed == (None, 'step 1: wanted version: pattern: "."; got version: ""')
    assert found.answers == 1


def test_a_story_that_neither_fulfils_has_failed_and_no_difference(pair: tuple[Emulator, Emulator]) -> None:
    story = "title: t\nsteps:\n  - get: /actors/v2\n    expect: {message: Never.}\n"

    found = told(pair, lambda line, reply: None, story)

    assert found.divergences == ()
    assert all(found.failed)


def test_a_travelled_clock_of_an_emulator_is_set_back(pair: tuple[Emulator, Emulator]) -> None:
    story = "title: t\nsteps:\n  - travel: 5h\n  - get: /actors/v2\n"

    found = told(pair, lambda line, reply: None, story)

    assert found.divergences == ()
    abaco = pair[1].client()
    assert abaco.clock.now - datetime.now(UTC) < timedelta(minutes=1)
    abaco.close()


@pytest.mark.parametrize(
    ("step", "is_emulator", "words"),
    [
        ("{travel: 4h}", False, "needs an emulator there: line 4 has 'travel'"),
        ("{fault: {kind: killed}}", False, "needs an emulator there: line 4 has 'fault'"),
        ("{get: /_abacito/health}", False, "needs an emulator there: line 4 has '/_abacito/health'"),
        (
            "{post: /actors/v2, json: {image: echo}}",
            False,
            "needs the bundled image 'echo', which only an emulator has",
        ),
        ("{post: /actors/v2, form: {image: 'echo:latest'}}", False, "needs the bundled image 'echo:latest'"),
        ("{post: /actors/v2, json: {image: abacosamples/test}}", False, None),
        ("{travel: 4h}", True, None),
        ("{post: /actors/v2, json: {image: echo}}", True, None),
        ("{get: /x, as: jane}", True, "needs a token of the user 'jane' there: --user-token jane=TOKEN"),
        ("{get: /x, as: '{who}', for_each: {who: [admin, jane]}}", True, "needs a token of the user 'jane' there"),
        ("{get: /x, as: nobody}", True, None),
        ("{get: /x, as: admin}", True, None),
    ],
)
def test_what_the_other_lacks_for_a_story_is_said(step: str, is_emulator: bool, words: str | None) -> None:
    theirs = Theirs(Target("http://127.0.0.1:9", "t", {"admin": "t"}), is_emulator)

    said = theirs.lacks_for(read(f"title: t\nactors: {{a: abacosamples/test}}\nsteps:\n  - {step}\n", "s.yaml"))

    assert said is None if words is None else words in str(said)


def abacito(*words: object) -> Result:
    line = ["scenario", "run", "--runner", "process", *map(str, words)]
    if "--target" in line:
        line.remove("--runner")
        line.remove("process")
    return CliRunner().invoke(main, line, env={"ABACITO_TARGET": None, "ABACITO_TOKEN": None})


@pytest.fixture
def story(tmp_path: Path) -> Path:
    folder = tmp_path / "stories"
    folder.mkdir()
    file = folder / "story.yaml"
    file.write_text(STORY)
    return file


SAID_OTHERWISE = altering("GET /actors/v2", lambda it: it.update(message="Here they are."))


def compared(emulator: Emulator, story: Path, *words: object, alter: Alter = SAID_OTHERWISE, **how: bool) -> Result:
    with front(emulator.url, alter, **how) as url:
        return abacito(story, "--parity", url, "--token", emulator.token, *words)


def test_the_command_ends_with_0_where_all_is_the_same(pair: tuple[Emulator, Emulator], story: Path) -> None:
    result = abacito(story, "--parity", pair[1].url, "--token", pair[1].token)

    assert result.exit_code == 0, result.stdout
    assert result.stdout.splitlines() == [
        f"same: two actors ({story})",
        "1 stories: 1 same, 0 differ (0 differences), 0 fail, 0 skipped; 13 answers compared, 0 times at another "
        "moment, 0 of others left out; 0 known gaps, 0 no longer seen",
    ]


def test_the_command_ends_with_1_and_tells_what_differs(pair: tuple[Emulator, Emulator], story: Path) -> None:
    result = compared(pair[1], story)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[:5] == [
        f"differs (1): two actors ({story})",
        f"  {story}:9: step 3: GET /actors/v2",
        "    message",
        '      ours   "Actors retrieved successfully."',
        '      theirs "Here they are."',
    ]
    assert "0 same, 1 differ (1 differences)" in result.stdout


def test_the_report_is_had_as_json(pair: tuple[Emulator, Emulator], story: Path) -> None:
    document = json.loads(compared(pair[1], story, "--json").stdout)

    (told_of,) = document["stories"]
    assert (told_of["verdict"], told_of["answers"]) == ("differs", 13)
    assert told_of["differences"] == [
        {
            "file": str(story),
            "line": 9,
            "number": 3,
            "request": "GET /actors/v2",
            "path": "message",
            "ours": '"Actors retrieved successfully."',
            "theirs": '"Here they are."',
        }
    ]
    assert document["summary"]["differences"] == 1


def test_junit_has_the_differences_and_what_was_skipped(pair: tuple[Emulator, Emulator], story: Path) -> None:
    story.with_name("travels.yaml").write_text("title: travels\nsteps:\n  - travel: 4h\n")
    story.write_text(STORY.replace("echo", "abacosamples/test"))

    result = compared(pair[1], story.parent, "--junit", story.with_name("report.xml"), is_live=True)

    assert result.exit_code == 1
    differs, skipped = ElementTree.parse(story.with_name("report.xml")).getroot().findall("testsuite/testcase")
    assert 'theirs "Here they are."' in str(differs.findtext("failure"))
    why = skipped.find("skipped")
    assert why is not None
    assert why.get("message") == "it needs an emulator there: line 3 has 'travel'"


def test_a_known_gap_is_told_with_its_reason_and_fails_nothing(pair: tuple[Emulator, Emulator], story: Path) -> None:
    story.with_name("parity-gaps.yaml").write_text("gaps:\n  - {path: message, reason: they have other words}\n")

    result = compared(pair[1], story.parent)

    assert result.exit_code == 0
    assert "  known gap: they have other words\n" in result.stdout
    assert "1 known gaps, 0 no longer seen" in result.stdout


def test_a_gap_no_longer_seen_is_told_and_fails_nothing(pair: tuple[Emulator, Emulator], story: Path) -> None:
    gaps = story.with_name("known.yaml")
    gaps.write_text("gaps:\n  - {path: result.no.more, reason: it was so once}\n")

    result = compared(pair[1], story, "--gaps", gaps, alter=lambda line, reply: None)

    assert result.exit_code == 0
    assert f"gap no longer seen: {gaps}:2: result.no.more: it was so once\n" in result.stdout
    assert "0 known gaps, 1 no longer seen" in result.stdout


def test_a_bad_file_of_gaps_is_told_before_anything_is_played(story: Path) -> None:
    gaps = story.with_name("parity-gaps.yaml")
    gaps.write_text("gaps:\n  - {path: message, raeson: r}\n")

    result = abacito(story, "--parity", "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert result.stderr == f"abacito: {gaps}:2:21: unknown key 'raeson': did you mean 'reason'?\n"


def test_a_server_that_does_not_answer_ends_with_3(story: Path) -> None:
    result = abacito(story, "--parity", "http://127.0.0.1:9")

    assert result.exit_code == 3
    assert result.stderr.startswith("abacito: no answer from http://127.0.0.1:9")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--json",),
        ("--gaps", SCENARIOS / "lecture.yaml"),
        ("--parity", "http://127.0.0.1:9", "--target", "http://127.0.0.1:9"),
        ("--parity", "http://127.0.0.1:9", "--user-token", "jane"),
    ],
)
def test_options_that_do_not_go_together_end_with_2(story: Path, words: tuple[object, ...]) -> None:
    assert abacito(story, *words).exit_code == 2


def test_of_several_side_by_side_the_first_bad_one_is_the_last(pair: tuple[Emulator, Emulator], story: Path) -> None:
    for name in ("a", "b", "c"):
        story.with_name(f"{name}.yaml").write_text(f"title: {name}\nsteps:\n  - get: /actors/v2\n")

    result = compared(pair[1], story.parent, "-n", "2", "-x")

    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line.startswith("differs")] == [
        f"differs (1): a ({story.with_name('a.yaml')})"
    ]


def test_the_report_holds_no_secret(pair: tuple[Emulator, Emulator], story: Path) -> None:
    seen: list[str] = []

    def tells_all(line: str, reply: Reply) -> None:
        if line.endswith("/nonces"):
            seen.append(reply.json["result"]["id"])
        if "x-nonce" in line:
            reply.status, reply.json = 400, {"message": f"{seen[0]} with {pair[1].token}?"}

    result = compared(pair[1], story, alter=tells_all)

    assert result.exit_code == 1
    assert "<nonce 1> with <token " in result.stdout
    for secret in (*seen, pair[1].token):
        assert secret not in result.output
