"""Abaco's search language, on records of our own."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abacito.abaco.errors import Refusal, Unrecognized
from abacito.abaco.search import OPERATORS, TIME_NAMES, Page, Query, Record, SearchType, parse, search_type

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

BAD_DATE = (
    "Inputted datetime was in an incorrect format. Please refer to docs and follow ISO 8601 formatting. "
    "e.g. '2020-05-01T14:45:41.591Z'"
)
NOT_TWO = "Between must have two variables seperated by a comma. Ex. io.between=20,40"
NOT_BOUNDS = "The values given to .between should be either float or ISO 8601 datetime."
MONGO = "pymongo.errors.OperationFailure"


def search(records: list[Record], *arguments: tuple[str, str], camel: bool = False) -> Page:
    return parse(arguments, camel=camel).page(records)


def found(records: list[Record], *arguments: tuple[str, str]) -> list[str]:
    """The names of what these arguments find."""
    return [record["name"] for record in search(records, *arguments).records]


def matches(value: Any, argument: str, text: str) -> bool:
    """Whether a record with this value in its field ``f`` is found."""
    return search([{"f": value}], (argument, text)).total == 1


def matches_a_time(value: Any, argument: str, text: str) -> bool:
    """The same for the field ``create_time``."""
    return search([{"create_time": value}], (argument, text)).total == 1


def refusal(*arguments: tuple[str, str]) -> Unrecognized:
    with pytest.raises(Unrecognized) as refused:
        parse(arguments, camel=False)
    return refused.value


def numbered(count: int) -> list[Record]:
    return [{"name": f"a{number}", "revision": number} for number in range(count)]


# Paging.


def test_without_arguments_the_first_hundred_are_found_in_their_order() -> None:
    """spec: http-api-more #64"""
    page = search(numbered(120))

    assert page.records == numbered(100)
    assert page.metadata == {
        "total_count": 120,
        "records_skipped": 0,
        "record_limit": 100,
        "count_returned": 100,
    }


@pytest.mark.parametrize(
    ("skip", "limit", "names"),
    [
        ("4", "23", ["a4", "a5", "a6", "a7", "a8", "a9"]),
        ("0", "0", []),
        ("10", "1", []),
        ("8", "1", ["a8"]),
        ("1" * 30, "1" * 30, []),
    ],
)
def test_a_page_is_cut_from_all_that_matches(skip: str, limit: str, names: list[str]) -> None:
    """spec: http-api-more #65, #66"""
    page = search(numbered(10), ("skip", skip), ("limit", limit))

    assert [record["name"] for record in page.records] == names
    assert (page.total, page.skipped, page.limit) == (10, int(skip), int(limit))
    assert page.metadata["count_returned"] == len(names)


def test_the_total_counts_what_passes_the_filters() -> None:
    page = search(numbered(10), ("revision.gte", "4"), ("limit", "2"), ("skip", "1"))

    assert (page.total, [record["name"] for record in page.records]) == (6, ["a5", "a6"])


@pytest.mark.parametrize(
    ("arguments", "is_plain"),
    [
        ([], True),
        ([("limit", "1"), ("skip", "2")], True),
        ([("x-nonce", "T_abc")], True),
        ([("search", ""), ("exactsearch", "")], True),
        ([("search", "word")], False),
        ([("search", "-word")], False),
        ([("exactsearch", "text")], False),
        ([("pretty", "true")], False),
    ],
)
def test_a_query_that_only_pages_says_so(arguments: list[tuple[str, str]], is_plain: bool) -> None:
    assert parse(arguments, camel=False).is_plain is is_plain


def test_a_nonce_is_never_a_filter() -> None:
    assert search(numbered(3), ("x-nonce", "T_abc")).total == 3


def test_of_a_repeated_argument_the_first_counts() -> None:
    assert found(numbered(5), ("revision", "2"), ("revision", "3")) == ["a2"]
    assert search(numbered(5), ("limit", "1"), ("limit", "x")).limit == 1


# Names of fields.


@pytest.mark.parametrize("name", ["message_received_time.gt", "messageReceivedTime.gt"])
def test_camel_instances_take_both_spellings(name: str) -> None:
    """spec: http-api-more #80"""
    record = {"message_received_time": NOON}

    assert search([record], (name, "2026"), camel=True).total == 1
    assert search([record], (name, "2027"), camel=True).total == 0


def test_snake_instances_take_only_snake() -> None:
    assert search([{"max_workers": 2}], ("maxWorkers", "2")).total == 0


def test_camel_stops_at_the_first_dot() -> None:
    record = {"final_state": {"ExitCode": 0}}

    assert search([record], ("finalState.ExitCode", "0"), camel=True).total == 1
    assert search([record], ("finalState.exit_code", "0"), camel=True).total == 0


def test_an_unknown_field_matches_nothing() -> None:
    assert search(numbered(3), ("pretty", "true")).total == 0
    assert search([{"owner": "u"}], ("_links.owner", "u")).total == 0


def test_dots_lead_into_objects_and_through_lists() -> None:
    record = {"mounts": [{"mode": "ro"}, {"mode": "rw"}], "name": "text"}

    assert search([record], ("mounts.mode", "rw")).total == 1
    assert search([record], ("mounts.mode", "none")).total == 0
    assert search([record], ("name.mode", "rw")).total == 0


@pytest.mark.parametrize(
    ("argument", "text", "is_found"),
    [
        ("actor_id", "MY_TENANT_abc", True),
        ("actor_id", "abc", True),
        ("actor_id", "TENANT_abc", False),
        ("actor_id", "bc", False),
        ("actor_id.neq", "abc", False),
        ("actor_id.neq", "MY_TENANT_abc", False),
        ("actor_id.neq", "abd", True),
        ("actor_id.in", '["abc"]', True),
        ("actor_id.nin", '["abc"]', False),
        ("worker_id", "abc", False),
    ],
)
def test_an_actor_goes_by_its_stored_and_by_its_shown_id(argument: str, text: str, is_found: bool) -> None:
    record = {"actor_id": "MY_TENANT_abc", "worker_id": "MY_TENANT_abc"}

    assert (search([record], (argument, text)).total == 1) is is_found


# Operators.


@pytest.mark.parametrize(
    ("argument", "text", "value", "is_found"),
    [
        ("f", "a", "a", True),
        ("f", "a", "A", False),
        ("f", "a", ["b", "a"], True),
        ("f", '["b","a"]', ["b", "a"], True),
        ("f", '["a","b"]', ["b", "a"], False),
        ("f", "5", 5, True),
        ("f", "5.0", 5, True),
        ("f", "1", True, False),
        ("f", "true", 1, False),
        ("f", "[1]", [True], False),
        ("f", "none", None, True),
        ("f", "none", [None], True),
        ("f", "none", "none", False),
        ("f.eq", "a", "a", True),
        ("f.eq", "a", "b", False),
        ("f.neq", "a", "b", True),
        ("f.neq", "a", "a", False),
        ("f.neq", "a", 5, True),
        ("f.neq", "a", ["b", "a"], False),
        ("f.neq", "none", None, False),
        ("f.lt", "5", 4, True),
        ("f.lt", "5", 5, False),
        ("f.lte", "5", 5, True),
        ("f.lte", "5", 5.5, False),
        ("f.gt", "5", 5.5, True),
        ("f.gt", "5", 5, False),
        ("f.gte", "5", 5, True),
        ("f.gte", "5", 4, False),
        ("f.lt", "b", "a", True),
        ("f.lt", "b", "c", False),
        ("f.lt", "5", "4", False),
        ("f.lt", "b", 4, False),
        ("f.lt", "5", False, False),
        ("f.gte", "true", True, False),
        ("f.gt", "none", None, False),
        ("f.lt", "5", None, False),
        ("f.gt", "5", [1, 9], True),
        ("f.in", '["a","b"]', "b", True),
        ("f.in", "['a','b']", "b", True),
        ("f.in", '["a","b"]', "c", False),
        ("f.in", '["a"]', ["c", "a"], True),
        ("f.in", "[1, 2]", 2, True),
        ("f.in", "[1, 2]", True, False),
        ("f.in", "[null]", None, True),
        ("f.in", "[]", "a", False),
        ("f.nin", '["a","b"]', "b", False),
        ("f.nin", '["a","b"]', "c", True),
        ("f.nin", '["a"]', ["c", "a"], False),
        ("f.between", "20,40", 20, True),
        ("f.between", "20,40", 40, True),
        ("f.between", "20,40", 30.5, True),
        ("f.between", "20,40", 41, False),
        ("f.between", "40,20", 30, False),
        ("f.between", " 20 , 40 ", 30, True),
        ("f.between", "20,40", "30", False),
        ("f.between", "0,1", True, False),
        ("f.between", "20,40", None, False),
        ("f.like", "py3", "samples/py3_func", True),
        ("f.like", "^py3", "samples/py3_func", False),
        ("f.like", "p.3_f[aeu]nc$", "samples/py3_func", True),
        ("f.like", "PY3", "samples/py3_func", False),
        ("f.like", "%py3%", "samples/py3_func", False),
        ("f.like", "py3", ["py3"], True),
        ("f.like", "5", 5.0, False),
        ("f.like", ".*", None, False),
        ("f.nlike", "py3", "samples/py3_func", False),
        ("f.nlike", "py3", "samples/py4_func", True),
        ("f.nlike", "py3", None, True),
        ("f.nlike", "py3", 3, True),
    ],
)
def test_each_operator_tells_values_apart(argument: str, text: str, value: Any, is_found: bool) -> None:
    """spec: http-api-more #69, #70, #74"""
    assert matches(value, argument, text) is is_found


@pytest.mark.parametrize(
    ("argument", "text", "is_found"),
    [
        ("absent", "none", True),
        ("absent", "a", False),
        ("absent.neq", "a", True),
        ("absent.neq", "none", False),
        ("absent.nin", '["a"]', True),
        ("absent.in", '["a"]', False),
        ("absent.nlike", "a", True),
        ("absent.like", "a", False),
        ("absent.lte", "5", False),
        ("absent.between", "0,5", False),
        ("name.absent", "none", True),
    ],
)
def test_a_field_that_a_record_lacks_is_null(argument: str, text: str, is_found: bool) -> None:
    assert (search([{"name": "a"}], (argument, text)).total == 1) is is_found


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [(".eq", ".neq", "a"), (".in", ".nin", '["a"]'), (".like", ".nlike", "a")],
)
def test_an_operator_and_its_negation_split_the_set(one: str, other: str, text: str) -> None:
    """spec: http-api-more #69, #70"""
    records: list[Record] = [
        {"name": str(place), "f": value} for place, value in enumerate(["a", "ab", "b", None, 3, ["a"], ["b"]])
    ]
    records.append({"name": "lacks it"})

    parts = found(records, (f"f{one}", text)), found(records, (f"f{other}", text))

    assert all(parts)
    assert sorted(parts[0] + parts[1]) == sorted(record["name"] for record in records)


def test_operators_are_looked_for_anywhere_in_a_name_in_abacos_order() -> None:
    assert list(OPERATORS) == [
        ".neq", ".eq", ".lte", ".lt", ".gte", ".gt", ".nin", ".in", ".between", ".nlike", ".like",
    ]  # fmt: skip
    assert search([{"final_state": ["x"]}], ("final_state.inner", '["x"]')).total == 1
    assert search([{"a.like": "x", "a": {"like": "x"}}], ("a.like.neq", "x")).total == 0


def test_all_conditions_hold_together() -> None:
    assert found(numbered(9), ("revision.gt", "2"), ("revision.lt", "6"), ("name.neq", "a4")) == ["a3", "a5"]


# What a value is.


@pytest.mark.parametrize(
    ("text", "value", "is_found"),
    [
        ("true", True, True),
        ("TRUE", True, True),
        ("False", False, True),
        ("true", "true", False),
        ("None", None, True),
        ("null", None, True),
        ("123", 123, True),
        ("1e2", 100, True),
        ("123", "123", False),
        ('"123"', "123", True),
        ("'123'", "123", True),
        ('"true"', "true", True),
        ('"none"', "none", True),
        ("[1, 2]", [1, 2], True),
        ('{"a": [1]}', {"a": [1]}, True),
        ('{"a": 1}', {"a": 1, "b": 2}, False),
        ('{"$gt": ""}', "text", False),
        ('{"$gt": ""}', {"$gt": ""}, True),
        ("[broken", "[broken", True),
        ("it's", "it's", True),
        ("2026-11-24", "2026-11-24", True),
        ("", "", True),
        ("nan", float("nan"), False),
    ],
)
def test_a_value_is_the_first_of_five_things_that_it_can_be(text: str, value: Any, is_found: bool) -> None:
    """spec: http-api-more #81"""
    assert matches(value, "f", text) is is_found


@pytest.mark.parametrize(
    ("text", "value"), [("true", "it is True"), ("3", "v3.0"), ("none", "None of it"), ('"3"', "v3"), ("[12]", "2")]
)
def test_like_looks_for_the_text_of_the_typed_value(text: str, value: str) -> None:
    assert matches(value, "f.like", text)


def test_a_finish_time_is_a_date_too() -> None:
    assert search([{"finish_time": NOON}], ("finish_time.gt", "2000-01-01")).total == 1


@pytest.mark.parametrize("name", TIME_NAMES)
def test_these_names_make_a_value_a_date(name: str) -> None:
    assert search([{name: NOON}], (f"{name}.gt", "2000-01-01")).total == 1
    assert search([{name: NOON}], (f"{name}.gt", "2200-01-01")).total == 0
    assert str(refusal((name, "soon"))).endswith(BAD_DATE)


def test_another_name_does_not() -> None:
    assert search([{"cron_next_ex": NOON}], ("cron_next_ex.gt", "2000-01-01")).total == 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2000", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2000Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2000-05:00", datetime(2000, 1, 1, 5, tzinfo=UTC)),
        ("2000+05:30", datetime(1999, 12, 31, 18, 30, tzinfo=UTC)),
        ("2000-05", datetime(2000, 5, 1, tzinfo=UTC)),
        ("2000-05-03:00", datetime(2000, 5, 1, 3, tzinfo=UTC)),
        ("2000-05-03", datetime(2000, 5, 3, tzinfo=UTC)),
        ("2000-05-03T", datetime(2000, 5, 3, tzinfo=UTC)),
        ("2000-05-03T04", datetime(2000, 5, 3, 4, tzinfo=UTC)),
        ("2000-05-03T04-01:00", datetime(2000, 5, 3, 5, tzinfo=UTC)),
        ("2000-05-03T04:06", datetime(2000, 5, 3, 4, 6, tzinfo=UTC)),
        ("2000-05-03T04:06:07", datetime(2000, 5, 3, 4, 6, 7, tzinfo=UTC)),
        ("2000-05-03T04:06:07Z", datetime(2000, 5, 3, 4, 6, 7, tzinfo=UTC)),
        ("2000-05-03T04:06:07.089Z", datetime(2000, 5, 3, 4, 6, 7, 89_000, tzinfo=UTC)),
        ("2000-05-03T04:06:07.089012+01:00", datetime(2000, 5, 3, 3, 6, 7, 89_012, tzinfo=UTC)),
        ("2000-05-03T04:06:07.5+0100", datetime(2000, 5, 3, 3, 6, 7, 500_000, tzinfo=UTC)),
    ],
)
def test_a_date_may_end_anywhere_and_then_is_the_earliest(text: str, moment: datetime) -> None:
    """spec: http-api-more #71"""
    assert matches_a_time(moment, "create_time", text)
    assert matches_a_time(moment.astimezone(timezone(timedelta(hours=3))), "create_time", text)
    assert not matches_a_time(moment + timedelta(milliseconds=1), "create_time", text)


@pytest.mark.parametrize(
    ("argument", "text", "is_found"),
    [
        ("create_time.lt", "2026-11-24T12:00:00.001", True),
        ("create_time.lt", "2026-11-24T12", False),
        ("create_time.lte", "2026-11-24T12", True),
        ("create_time.gt", "2026-11-24T11:59:59.999Z", True),
        ("create_time.gte", "2026-11-24T12:00+00:00", True),
        ("create_time.neq", "2026-11-24T12", False),
        ("create_time.neq", "none", True),
        ("create_time", "none", False),
        ("create_time.between", "2000-01-01,2200-01-01", True),
        ("create_time.between", "2000-01-01T01:00,2200-12-30T23:59:59.999Z", True),
        ("create_time.between", "2026-11-24T12,2026-11-24T12", True),
        ("create_time.between", "2000,2001", False),
        ("create_time.like", "2026", False),
    ],
)
def test_dates_are_compared_with_dates(argument: str, text: str, is_found: bool) -> None:
    """spec: http-api-more #72, #73"""
    assert matches_a_time(NOON, argument, text) is is_found


def test_a_date_never_meets_a_number() -> None:
    assert not matches_a_time(0, "create_time.lt", "2200")


@pytest.mark.parametrize(
    ("argument", "text", "is_found"),
    [
        ("final_state.StartedAt.gt", "2000-05:00", True),
        ("final_state.StartedAt.gt", "2000-01-01T01:00:00.000Z", True),
        ("final_state.StartedAt.lt", "2000-05:00", False),
        ("final_state.StartedAt", "2026-11-24T12", True),
        ("final_state.StartedAt.between", "2026,2027", True),
        ("final_state.FinishedAt.gt", "2000", False),
    ],
)
def test_times_kept_as_texts_in_a_final_state_are_dates(argument: str, text: str, is_found: bool) -> None:
    """spec: http-api-more #71"""
    record = {"final_state": {"StartedAt": "2026-11-24T12:00:00.000Z", "FinishedAt": "unknown"}}

    assert (search([record], (argument, text)).total == 1) is is_found


# Texts.

SLEEPER = {"name": "s", "image": "abacosamples/sleep_loop", "state": {"notes": ["Counts Sheep at night"]}}
ECHO = {"name": "e", "image": "abacosamples/echo", "create_time": NOON, "revision": 5, "mem_limit": None}
OTHER = {"name": "o", "image": "busybox"}
ACTORS: list[Record] = [ECHO, OTHER, SLEEPER]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("abacosamples/sleep_loop", ["s"]),
        ("ABACOSAMPLES/", ["e", "s"]),
        ("counts sheep", ["s"]),
        ("NOTATHINGWORD", []),
        ("notes", []),
        ("true", []),
        ("5", []),
        ("", ["e", "o", "s"]),
    ],
)
def test_an_exact_search_finds_the_text_in_any_value_in_any_case(text: str, names: list[str]) -> None:
    """spec: http-api-more #75"""
    assert found(ACTORS, ("exactsearch", text)) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sleep_loop", ["s", "e", "o"]),
        ("SLEEP_LOOP", ["s", "e", "o"]),
        ("abacosamples/sleep_loop", ["s", "e", "o"]),
        ("abacosamples", ["e", "s", "o"]),
        ("sheep night echo", ["s", "e", "o"]),
        ("sleep", ["e", "o", "s"]),
        ("NOTATHINGWORD", ["e", "o", "s"]),
        ("", ["e", "o", "s"]),
        ("-", ["e", "o", "s"]),
        ("-abacosamples", ["o"]),
        ("-abacosamples/echo", ["o", "s"]),
        ("-sleep", ["e", "o", "s"]),
        ("sleep_loop -echo", ["s", "o"]),
        ('"sheep at"', ["s"]),
        ('"SAMPLES/E" busybox', ["e"]),
        ('-"sheep at"', ["e", "o"]),
        ('""', ["e", "o", "s"]),
        ('echo"', ["e", "o", "s"]),
    ],
)
def test_words_rank_unless_they_are_quoted_or_have_a_minus(text: str, names: list[str]) -> None:
    """spec: http-api-more #75"""
    assert found(ACTORS, ("search", text)) == names


def test_empty_quotes_filter_nothing() -> None:
    assert search([{"revision": 1}], ("search", '""')).total == 1
    assert search([{"revision": 1}], ("search", '-""')).total == 1


def test_ranking_comes_before_paging_and_ands_with_filters() -> None:
    arguments = ("search", "sleep_loop"), ("exactsearch", "abacosamples"), ("name.neq", "o"), ("limit", "1")

    page = search(ACTORS, *arguments)

    assert (page.total, page.records) == (2, [SLEEPER])


# Types and refusals.


@pytest.mark.parametrize("word", ["logs", "LOGS", "Logs"])
def test_a_type_goes_by_its_name_in_any_case(word: str) -> None:
    assert search_type(word) is SearchType.LOGS


@pytest.mark.parametrize("word", ["", "log", "messages"])
def test_an_unknown_type_is_refused_with_abacos_braces(word: str) -> None:
    """spec: http-api-more #68"""
    with pytest.raises(Unrecognized) as refused:
        search_type(word)

    assert str(refused.value) == (
        "Unrecognized exception type: <class 'KeyError'>. Exception: "
        "'Inputted search_type is invalid, must be one of {list(store_dict.keys())}.'"
    )


@pytest.mark.parametrize(
    ("argument", "text", "class_name", "message"),
    [
        ("limit", "abc", "ValueError", 'Inputted "limit" paramater must be an int. Received: abc'),
        ("limit", "1.5", "ValueError", 'Inputted "limit" paramater must be an int. Received: 1.5'),
        ("limit", "", "ValueError", 'Inputted "limit" paramater must be an int. Received: '),
        ("limit", "-1", "ValueError", 'Inputted "limit" must be positive. Received: -1'),
        ("skip", "abc", "ValueError", 'Inputted "skip" paramater must be an int. Received: abc'),
        ("skip", "-1", "ValueError", 'Inputted "skip" must be positive. Received: -1'),
        ("create_time", "yesterday", "ValueError", BAD_DATE),
        ("create_time.gt", "2000-13", "ValueError", BAD_DATE),
        ("create_time.gt", "2000-02-30", "ValueError", BAD_DATE),
        ("create_time.gt", "2000-01-01T24", "ValueError", BAD_DATE),
        ("create_time.gt", "2000-01-01 12:00", "ValueError", BAD_DATE),
        ("create_time.gt", "2000-01-01T00:00:00.1234567", "ValueError", BAD_DATE),
        ("create_time.gt", "2000+24:00", "ValueError", BAD_DATE),
        ("create_time.gt", "0001+01:00", "ValueError", BAD_DATE),
        ("create_time.gt", "0000", "ValueError", BAD_DATE),
        ("create_time.gt", "", "ValueError", BAD_DATE),
        ("create_time.in", '["2000"]', "ValueError", BAD_DATE),
        ("create_time.between", "2000,later", "ValueError", BAD_DATE),
        ("create_time.between", "2000-01-01", "ValueError", NOT_TWO),
        ("create_time.between", "2000,2001,2002", "ValueError", NOT_TWO),
        ("io.between", "20", "TypeError", "argument of type 'float' is not iterable"),
        ("io.between", "true", "TypeError", "argument of type 'bool' is not iterable"),
        ("io.between", "none", "TypeError", "argument of type 'NoneType' is not iterable"),
        ("create_time.between", "none", "TypeError", "argument of type 'NoneType' is not iterable"),
        ("io.between", "a,b", "ValueError", NOT_BOUNDS),
        ("io.between", "1,b", "ValueError", NOT_BOUNDS),
        ("io.between", "a", "ValueError", NOT_BOUNDS),
        ("io.between", "[20,40]", "ValueError", NOT_BOUNDS),
        ("io.between", "1,2,3", "ValueError", NOT_TWO),
        ("status.in", "COMPLETE", MONGO, "$in needs an array"),
        ("status.nin", "5", MONGO, "$in needs an array"),
        ("status.in", '{"a":1}', MONGO, "$in needs an array"),
        (
            "name.like",
            "(a",
            MONGO,
            "Regular expression is invalid: missing ), unterminated subpattern at position 0. Received: (a",
        ),
        (
            "name.nlike",
            "*",
            MONGO,
            "Regular expression is invalid: nothing to repeat at position 0. Received: *",
        ),
        (
            "name.like",
            "a" * 1001,
            MONGO,
            f"Regular expression is invalid: it has more than 1000 characters. Received: {'a' * 50}…",
        ),
    ],
)
def test_a_value_that_abaco_fails_at_is_refused_in_its_words(
    argument: str, text: str, class_name: str, message: str
) -> None:
    """spec: http-api-more #67, #73"""
    refused = refusal((argument, text))

    assert str(refused) == f"Unrecognized exception type: <class '{class_name}'>. Exception: {message}"
    assert refused.class_name == class_name


@pytest.mark.parametrize("pattern", ["(" * 500 + ")" * 500, "a{99999999999999999999}"])
def test_a_pattern_that_breaks_the_compiler_is_refused(pattern: str) -> None:
    assert refusal(("name.like", pattern)).class_name == MONGO


def test_a_pattern_that_python_warns_of_is_refused_where_warnings_are_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert refusal(("name.like", "[[a]")).class_name == MONGO


def test_a_pattern_may_have_a_thousand_characters() -> None:
    assert matches("a" * 1000, "f.like", "a" * 1000)


def test_deep_values_are_gone_through() -> None:
    deep: Any = "Bottom"
    for _ in range(5000):
        deep = [deep]
    records: list[Record] = [{"name": "deep", "state": deep}]

    assert found(records, ("exactsearch", "bottom")) == ["deep"]
    assert found(records, ("state", "[" * 400 + "]" * 400)) == []
    assert found(records, ("state.neq", "[" * 50_000)) == ["deep"]


FIELDS = st.sampled_from(["name", "actor_id", "create_time", "final_state.StartedAt", "state", "limit", "search", ""])
NAMES = st.text(max_size=20) | st.builds("{}{}".format, FIELDS, st.sampled_from(["", *OPERATORS]))
TEXTS = (
    st.text(max_size=30)
    | st.text(alphabet="0123456789-+:TZ.,", max_size=30)
    | st.text(alphabet="[]{}()*\\?|^'\",:-1a ", max_size=12)
    | st.sampled_from(["true", "none", "nan", "inf", "1,2", "2000", "2000,2001", '["a", 1, null]', '{"a": {"b": 1}}'])
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(
    st.dictionaries(
        st.sampled_from(["name", "actor_id", "create_time", "final_state", "state"]) | st.text(max_size=5), VALUES
    ),
    max_size=4,
)


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=3), RECORDS, st.booleans())
def test_a_search_is_refused_or_answered_but_never_fails(
    arguments: list[tuple[str, str]], records: list[Record], camel: bool
) -> None:
    try:
        query = parse(arguments, camel=camel)
    except Refusal:
        return

    page = query.page(records)

    assert len(page.records) <= min(page.limit, page.total)
    assert page.total <= len(records)


def test_no_arguments_make_the_default_query() -> None:
    assert Query() == parse([], camel=False)
