from __future__ import annotations

from pathlib import Path

import pytest

from abacito.abaco.errors import Misconfigured
from abacito.scenario import GAPS_FILE, story
from abacito.scenario.names import fill

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STORIES = sorted(path for path in SCENARIOS.rglob("*.yaml") if path.name != GAPS_FILE)


def a_story(*steps: str, head: str = "title: t\n") -> story.Story:
    return story.read(head + "steps:\n" + "".join(f"  - {step}\n" for step in steps), "f.yaml")


def refusal(text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        story.read(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_every_story_of_ours_can_be_read(path: Path) -> None:
    assert story.load(path).steps


def test_a_step_knows_its_method_path_and_line() -> None:
    told = a_story("{get: /a}", "{delete: /b}")

    assert [(step.method, step.path, step.line) for step in told.steps] == [("GET", "/a", 3), ("DELETE", "/b", 4)]


def test_yaml_is_read_as_1_2_and_a_time_stays_text() -> None:
    told = a_story("{post: /a, json: {on: yes, n: 012, at: 2026-11-23T21:00:00Z}}")

    assert told.steps[0].json_ == {"on": "yes", "n": 12, "at": "2026-11-23T21:00:00Z"}


def test_a_json_body_may_be_null() -> None:
    told = a_story("{post: /a, json: null}", "{post: /a}")

    assert [step.has_json for step in told.steps] == [True, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title: t\nsteps:\n  - get: /a\n    expct: {}\n", "f.yaml:4:5: unknown key 'expct': did you mean 'expect'?"),
        ("title: t\nstep: []\nsteps: [{note: x}]", "f.yaml:2:1: unknown key 'step': did you mean 'steps'?"),
        (
            "title: t\nsteps:\n  - {post: /a, wait: {staus: COMPLETE}}",
            "f.yaml:3:23: unknown key 'staus': did you mean 'status'?",
        ),
        ("title: t\nsteps:\n  - {Get: /a}", "f.yaml:3:6: unknown key 'Get': did you mean 'get'?"),
        ("title: 3\nsteps: [{note: x}]", "f.yaml:1:1: 'title' should be a valid string (quotes make it one)"),
        (
            "title: t\nsteps:\n  - {post: /a, wait: {status: DONE}}",
            "f.yaml:3:23: 'status' should be 'SUBMITTED', 'RUNNING', 'COMPLETE' or 'ERROR'",
        ),
        ("title: t\nsteps: [{get: /a, wait: {until: {}, within_s: soon}}]", "'within_s' should be a valid number"),
        ("title: t\n", "f.yaml:1:1: 'steps' is missing"),
        ("", "f.yaml:1:1: a story is a mapping with the keys title, tags, actors, steps"),
        ("title: t\nsteps: [{get: /a}\n", "f.yaml:3:1: not YAML: "),
        ("title: t\ntitle: u\n", "f.yaml:2:1: 'title' is there twice"),
    ],
)
def test_what_is_no_story_is_refused_with_its_place_and_the_nearest_key(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{get: /a, post: /b}", "3:15: a step is one request: here are get and post"),
        (
            "{expect: {}}",
            "3:5: a step is a request, moves the clock or sets a fault "
            "(get, post, put, delete, travel, tick, at, freeze, fault)",
        ),
        ("{get: a}", "3:6: a path begins with a slash: 'a'"),
        ("{post: /a, json: {}, form: {}}", "3:26: a request has one body: here are json and form"),
        ("{post: /a, base64: a}", "3:16: 'base64' cannot be decoded"),
        ("{post: /a, bytes: 0x}", "3:16: 'bytes' cannot be decoded"),
        ("{get: /a, wait: {}}", "3:15: a wait is for one of 'status' and 'until'"),
        ("{get: /a, wait: {status: COMPLETE}}", "3:22: only a POST has an execution to wait for"),
        ("{post: /a, wait: {until: {}}}", "3:23: only a GET is asked again"),
        ("{get: /a, for_each: {a: [1], b: [2]}}", "3:15: 'for_each' takes one name with its list"),
        ("{get: /a, for_each: {a: []}}", "3:26: 'a' has nothing in its list"),
        ("{get: /a, keep: {a-b: result}}", "3:22: 'a-b' cannot be quoted as {a-b}"),
        ("{get: /a, expect: {result: {pattern: '('}}}", "3:33: 'pattern' is no regular expression"),
        ("{get: /a, wait: {until: {x: {absent: 1}}}}", "3:34: 'absent' takes true or false"),
        ("{get: '/{x}'}", "3:6: nothing is kept as 'x' before this: known are no names ({{x}} stands for itself)"),
    ],
)
def test_a_wrong_step_is_refused_with_its_place(step: str, told: str) -> None:
    assert told in refusal(f"title: t\nsteps:\n  - {step}\n")


def test_an_unknown_name_is_refused_with_the_nearest_known() -> None:
    text = "title: t\nactors: {greeter: echo}\nsteps:\n  - get: /actors/{greter}\n"

    assert refusal(text) == "f.yaml:4:5: nothing is kept as 'greter' before this: did you mean {greeter}?"


def test_a_name_is_not_known_in_the_step_that_keeps_it() -> None:
    text = "title: t\nsteps:\n  - {get: '/{id}', keep: {id: result.id}}\n  - {get: '/{id}'}"

    assert refusal(text).startswith("f.yaml:3:6: nothing is kept as 'id'")


def test_a_name_of_for_each_is_known_in_its_step_only() -> None:
    assert a_story("{get: '/{x}', for_each: {x: [1]}}")
    assert "nothing is kept as 'x'" in refusal("title: t\nsteps:\n- {get: '/{x}', for_each: {x: [1]}}\n- {get: '/{x}'}")


def test_an_actor_without_an_image_is_refused() -> None:
    text = "title: t\nactors: {a: {name: x}}\nsteps: [{note: x}]"

    assert refusal(text) == "f.yaml:2:10: the actor 'a' has no 'image'"


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.yaml: cannot be read as a story"):
        story.load(tmp_path / "none.yaml")


def test_a_string_that_is_one_quote_takes_the_value_with_its_type() -> None:
    assert fill({"a": ["{n}", "n={n}", "{t}"]}, {"n": 3, "t": "x"}) == {"a": [3, "n=3", "x"]}


def test_doubled_braces_and_braces_without_a_name_stand_for_themselves() -> None:
    assert fill("{{n}} \\d{4} {'a': {'b': 1}} {}", {"n": 3}) == "{n} \\d{4} {'a': {'b': 1}} {}"


def test_quotes_in_keys_are_filled_in() -> None:
    assert fill({"{user}": "UPDATE"}, {"user": "jane"}) == {"jane": "UPDATE"}


def test_the_schema_names_every_key_as_it_is_written() -> None:
    schema = story.json_schema()
    step = schema["$defs"]["Step"]

    assert {"get", "json", "bytes", "as", "keep", "expect", "wait", "for_each", "note"} <= set(step["properties"])
    assert step["additionalProperties"] is False
    assert schema["required"] == ["title", "steps"]
