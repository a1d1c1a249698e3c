from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from abacito.abaco.errors import Misconfigured
from abacito.scenario import GAPS_FILE, story
from abacito.scenario.names import fill
from abacito.scenario.page import read_page

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


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_every_story_of_ours_is_as_the_schema_has_it(path: Path) -> None:
    Draft202012Validator(story.json_schema()).validate(read_page(path.read_text(), str(path)).document)


@pytest.mark.parametrize("step", [{"gett": "/x"}, {"run": 3}, {"wait": {"quiet": False}}, {"include": None, "x": 1}])
def test_the_schema_refuses_what_is_no_step(step: object) -> None:
    assert not Draft202012Validator(story.json_schema()).is_valid({"title": "t", "steps": [step]})


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
        (
            "title: t\nusers: {jane: {role: x}}\nsteps: [{note: x}]",
            "f.yaml:2:16: unknown key 'role': did you mean 'roles'?",
        ),
        ("title: t\nusers: {nobody: {}}\nsteps: [{note: x}]", "f.yaml:2:9: 'nobody' is no user"),
        ("title: t\nsteps:\n  - {Get: /a}", "f.yaml:3:6: unknown key 'Get': did you mean 'get'?"),
        ("title: 3\nsteps: [{note: x}]", "f.yaml:1:1: 'title' should be a valid string (quotes make it one)"),
        (
            "title: t\nsteps:\n  - {post: /a, wait: {status: DONE}}",
            "f.yaml:3:23: 'status' should be 'SUBMITTED', 'RUNNING', 'COMPLETE' or 'ERROR'",
        ),
        ("title: t\nsteps: [{get: /a, wait: {until: {}, within_s: soon}}]", "'within_s' should be a valid number"),
        ("title: t\n", "f.yaml:1:1: 'steps' is missing"),
        ("", "f.yaml:1:1: a story is a mapping with the keys title, tags, actors, users, steps"),
        ("title: t\nsteps: [{get: /a}\n", "f.yaml:3:1: not YAML: "),
        ("title: t\ntitle: u\n", "f.yaml:2:1: 'title' is there twice"),
    ],
)
def test_what_is_no_story_is_refused_with_its_place_and_the_nearest_key(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{get: /a, post: /b}", "3:15: a step does one thing: here are get and post"),
        ("{run: a, message: x, travel: 1h}", "3:6: a step does one thing: here are travel and run"),
        ("{get: /a, wait: {quiet: true}}", "3:15: a step does one thing: here are get and wait"),
        (
            "{expect: {}}",
            "3:5: a step has one of get, post, put, delete, travel, tick, at, freeze, fault, run, include, "
            "or waits until it is 'quiet', or it is only a 'note'",
        ),
        ("{post: /a, message: x}", "3:16: 'message' is what a 'run' sends: a request has json, form or body"),
        ("{run: a}", "3:6: a run sends a 'message', or binary data in 'base64' or 'bytes'"),
        ("{run: a, json: {}}", "3:14: 'run' goes with 'message', 'base64', 'bytes', 'query', 'as', 'expect'"),
        ("{run: a, message: x, bytes: '00'}", "3:26: a request has one body: here are message and bytes"),
        ("{run: a, message: x, wait: {status: COMPLETE}}", "3:33: a run waits for the end of its execution"),
        ("{wait: {quiet: true}, expect: {}}", "3:27: 'wait' goes with 'as', 'note' only"),
        ("{wait: {quiet: false}}", "3:13: 'quiet' should be True"),
        ("{include: x.yaml, note: x}", "there is no file 'x.yaml' to include: paths begin at ."),
        ("{get: a}", "3:6: a path begins with a slash: 'a'"),
        ("{post: /a, json: {}, form: {}}", "3:26: a request has one body: here are json and form"),
        ("{post: /a, base64: a}", "3:16: 'base64' cannot be decoded"),
        ("{post: /a, bytes: 0x}", "3:16: 'bytes' cannot be decoded"),
        ("{get: /a, wait: {}}", "3:15: a wait is for one of 'status', 'until' and 'quiet'"),
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


class Shelf:
    """Stories in a folder, by name and the text of their steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, *steps: str, head: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"title: {name}\n{head}steps:\n" + "".join(f"  - {step}\n" for step in steps))
        return path

    def refusal(self, path: Path) -> str:
        with pytest.raises(Misconfigured) as caught:
            story.load(path)
        return str(caught.value).replace(f"{self.folder}/", "")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_an_included_story_is_played_in_its_place_with_its_actors_users_and_names(shelf: Shelf) -> None:
    shelf.put("below/b.yaml", "{get: /b, keep: {id: result.id}}", head="actors: {echo: echo}\nusers: {jane: {}}\n")
    whole = story.load(shelf.put("a.yaml", "{get: /a}", "{include: below/b.yaml}", "{get: '/{id}/{echo}', as: jane}"))

    assert [step.path for step in whole.steps] == ["/a", "/b", "/{id}/{echo}"]
    assert [(Path(step.file).name, step.line) for step in whole.steps] == [("a.yaml", 3), ("b.yaml", 5), ("a.yaml", 5)]
    assert (whole.actors, list(whole.users)) == ({"echo": "echo"}, ["jane"])
    assert whole.origin("actors", "echo") == (str(shelf.folder / "below" / "b.yaml"), 2)


def test_what_an_included_story_keeps_is_not_known_before_it(shelf: Shelf) -> None:
    shelf.put("b.yaml", "{get: /b, keep: {id: result.id}}")

    assert shelf.refusal(shelf.put("a.yaml", "{get: '/{id}'}", "{include: b.yaml}")).startswith(
        "a.yaml:3:6: nothing is"
    )


def test_a_cyclic_include_is_refused_with_its_chain(shelf: Shelf) -> None:
    first = shelf.put("a.yaml", "{note: x}", "{include: b.yaml}")
    shelf.put("b.yaml", "{include: below/../a.yaml}")

    told = "b.yaml:3:6: 'below/../a.yaml' is included by itself: a.yaml → b.yaml → a.yaml; take one of these out"
    assert shelf.refusal(first) == told


def test_a_story_that_includes_itself_is_refused(shelf: Shelf) -> None:
    told = shelf.refusal(shelf.put("a.yaml", "{include: a.yaml}"))

    assert "a.yaml:3:6: 'a.yaml' is included by itself: a.yaml → a.yaml" in told


def test_a_story_may_be_included_twice(shelf: Shelf) -> None:
    shelf.put("b.yaml", "{get: /b}", head="actors: {echo: echo}\n")

    assert len(story.load(shelf.put("a.yaml", "{include: b.yaml}", "{include: b.yaml}")).steps) == 2


def test_a_file_that_is_not_there_is_refused_with_the_nearest(shelf: Shelf) -> None:
    shelf.put("setup.yaml", "{note: x}")

    told = shelf.refusal(shelf.put("a.yaml", "{include: setpu.yaml}"))

    assert told == "a.yaml:3:6: there is no file 'setpu.yaml' to include: did you mean 'setup.yaml'?"


def test_a_mistake_in_an_included_story_is_told_where_it_stands(shelf: Shelf) -> None:
    shelf.put("b.yaml", "{note: x}", "{gett: /x}")

    assert shelf.refusal(shelf.put("a.yaml", "{include: b.yaml}")).startswith("b.yaml:4:6: unknown key 'gett'")


@pytest.mark.parametrize(
    ("own", "other", "kind"),
    [
        ("actors: {it: echo}\n", "actors: {it: fails}\n", "actors"),
        ("users: {it: {}}\n", "users: {it: {roles: [x]}}\n", "users"),
    ],
)
def test_two_things_of_one_name_are_refused(shelf: Shelf, own: str, other: str, kind: str) -> None:
    shelf.put("b.yaml", "{note: x}", head=other)

    told = shelf.refusal(shelf.put("a.yaml", "{include: b.yaml}", head=own))

    assert told == f"a.yaml:4:6: 'it' of '{kind}' is something else in b.yaml:2: give one of them another name"


def test_run_means_an_actor_of_the_story_or_an_id() -> None:
    told = a_story("{run: echo, message: x}", "{run: abc, message: x}", head="title: t\nactors: {echo: echo}\n")

    assert [step.path for step in told.steps] == ["/actors/v2/{echo}/messages", "/actors/v2/abc/messages"]
