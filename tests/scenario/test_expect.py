from __future__ import annotations

from typing import Any

import pytest

from abacito.scenario.expect import Difference, Missing, differences, problems, shown

ACTOR = {"id": "a1", "name": "test", "type": "none", "revision": 1, "hints": ["x", "y"], "state": {}}


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ({"id": "a1"}, ACTOR),
        ({"state": {}}, ACTOR),
        ({"id": {"pattern": "^a[0-9]$"}}, ACTOR),
        ({"revision": {"type": "int"}}, ACTOR),
        ({"owner": {"absent": True}}, ACTOR),
        ({"owner": {"absent": False}}, {"owner": None}),
        ({"hints": ["x", "y"]}, ACTOR),
        ({"hints": {"length": 2}}, ACTOR),
        ({"hints": {"length": {"at_least": 1}}}, ACTOR),
        ({"hints": {"contains": "y"}}, ACTOR),
        ({"contains": {"id": "a1"}}, [{"id": "b"}, ACTOR]),
        ({"contains": ["one", "two"]}, "one, two, three"),
        ({"one_of": [400, 404]}, 404),
        ({"one_of": [{"id": "a1"}, {"id": "b1"}]}, ACTOR),
        ({"at_least": 0, "type": "int"}, 0),
        ({"type": "number"}, 1.5),
        ({"type": "null"}, None),
        (None, None),
        ([{"id": "a1"}], [ACTOR]),
    ],
)
def test_what_fits_has_no_differences(wanted: Any, got: Any) -> None:
    assert differences(wanted, got) == []


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        (1, True),
        (True, 1),
        (1, "1"),
        (None, Missing.KEY),
        ({"pattern": "^b"}, "a1"),
        ({"pattern": "1"}, 1),
        ({"type": "int"}, True),
        ({"type": "number"}, False),
        ({"type": "str"}, Missing.KEY),
        ({"absent": True}, None),
        ({"absent": False}, Missing.KEY),
        ({"contains": "z"}, "abc"),
        ({"contains": ["a", "z"]}, "abc"),
        ({"contains": 1}, 1),
        ({"one_of": [1, 2]}, 3),
        ({"at_least": 2}, 1),
        ({"at_least": 0}, True),
        ({"length": 2}, [1]),
        ([1, 2], [1, 2, 3]),
        ([1, 2], [1, 1]),
        ({"id": 1}, "text"),
        ({}, []),
    ],
)
def test_what_does_not_fit_has_a_difference(wanted: Any, got: Any) -> None:
    assert len(differences(wanted, got)) == 1


def test_each_difference_names_its_place_in_the_answer() -> None:
    found = differences(
        {"result": {"executions": [{"id": "e", "status": "COMPLETE"}]}}, {"result": {"executions": [{}]}}
    )

    assert [difference.path for difference in found] == ["result.executions.0.id", "result.executions.0.status"]


def test_a_difference_tells_what_was_wanted_and_what_there_was() -> None:
    found = differences({"exitCode": 0, "io": {"at_least": 5}}, {"exitCode": 3, "io": 1})

    assert found == [Difference("exitCode", "0", "3"), Difference("io", "at_least: 5", "1")]


def test_a_field_named_type_is_no_matcher() -> None:
    assert differences({"type": "none"}, ACTOR) == []
    assert differences({"type": "bin"}, ACTOR) == [Difference("type", '"bin"', '"none"')]


def test_a_long_value_is_shown_by_its_ends_and_its_length() -> None:
    text = shown("a" * 1000 + "b" * 1000)

    assert len(text) < 450
    assert text.startswith('"aaa')
    assert text.endswith('bbb" (2002 characters)')


@pytest.mark.parametrize(
    ("wanted", "place", "part"),
    [
        ({"result": {"pattern": "("}}, ("result", "pattern"), "no regular expression"),
        ({"result": {"pattern": 1}}, ("result", "pattern"), "a text"),
        ({"result": [{"absent": "yes"}]}, ("result", 0, "absent"), "true or false"),
        ({"a": {"one_of": 1}}, ("a", "one_of"), "a list"),
        ({"a": {"at_least": "1"}}, ("a", "at_least"), "a number"),
        ({"a": {"patern": "x", "absent": False}}, ("a", "patern"), "pattern?"),
        ({"a": {"type": "integer", "at_least": 1}}, ("a", "type"), "int, number"),
        ({"a": {"one_of": [{"pattern": "["}]}}, ("a", "one_of", 0, "pattern"), "no regular expression"),
    ],
)
def test_a_wrong_matcher_is_found_without_an_answer(wanted: Any, place: tuple[str | int, ...], part: str) -> None:
    ((found, sentence),) = problems(wanted)

    assert found == place
    assert part in sentence


def test_a_right_expectation_has_no_problems() -> None:
    wanted: Any = {"a": {"type": "int", "at_least": 0}, "b": [{"length": 3}], "c": {"type": "none", "queue": "default"}}

    assert list(problems(wanted)) == []
