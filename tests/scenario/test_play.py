from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abacito.abaco.errors import Misconfigured, Unavailable
from abacito.scenario import story
from abacito.scenario.ask import Target
from abacito.scenario.play import Outcome, StepReport, play
from abacito.scenario.waiting import LOOKS_PER_ACTOR, dig

if TYPE_CHECKING:
    from tests.scenario.conftest import Canned

EXECUTION = "GET /actors/a1/executions/e1"


class TestPace:
    """Time that passes only in sleeps, which are noted."""

    __test__ = False

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Stage:
    """Plays stories on the canned server and keeps what was reported."""

    def __init__(self, canned: Canned) -> None:
        self.target = Target(canned.url, "t0", {"jane": "t1"}, case="camel")
        self.reports: list[StepReport] = []
        self.pace = TestPace()

    def play(self, *steps: str, head: str = "", **options: Any) -> Outcome:
        text = f"title: t\n{head}steps:\n" + "".join(f"  - {step}\n" for step in steps)
        return play(story.read(text, "f.yaml"), self.target, self.reports.append, pace=self.pace, **options)


@pytest.fixture
def stage(canned: Canned) -> Stage:
    canned.answer("POST /actors/a1/messages", {"executionId": "e1", "msg": "hello"})
    canned.answer(f"{EXECUTION}/logs", {"logs": "\n".join(f"line {n}" for n in range(30))})
    return Stage(canned)


def test_steps_are_played_in_order_until_one_fails(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /one", 1)
    canned.answer("GET /two", 2)

    outcome = stage.play("{get: /one}", "{get: /two, expect: {result: 3}}", "{get: /one}")

    assert canned.lines == ["GET /one", "GET /two"]
    assert outcome.steps == 2
    assert outcome.failure is not None


def test_a_failure_tells_file_line_step_wanted_and_got(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /one", {"exitCode": 3, "io": 0})

    failure = stage.play("{get: /one, expect: {result: {exitCode: 0, io: {at_least: 1}}}}").failure

    assert failure is not None
    assert (failure.file, failure.line, failure.number, failure.request) == ("f.yaml", 3, 1, "GET /one")
    assert failure.wanted == "result.exitCode: 0\nresult.io: at_least: 1"
    assert failure.got == "result.exitCode: 3\nresult.io: 0"
    assert str(failure).startswith("f.yaml:3: step 1: GET /one\n  wanted result.exitCode: 0\n")


def test_a_failure_on_a_refusal_tells_what_the_refusal_says(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /bad", None, status=400)

    failure = stage.play("{get: /bad, expect: {status_code: 200, result: {id: x}}}").failure

    assert failure is not None
    assert failure.got == 'status_code: 400 (answered 400 "not fine")\nresult: null'


def test_what_is_kept_is_quoted_in_later_steps(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /list", [{"id": "x"}, {"id": "y", "n": 5}])
    canned.answer("PUT /item/y", None)

    outcome = stage.play(
        "{get: /list, keep: {last: result.-1.id, n: result.1.n}}", "{put: '/item/{last}', json: {n: '{n}', t: 'n={n}'}}"
    )

    assert outcome.failure is None
    assert json.loads(canned.asked[1].body) == {"n": 5, "t": "n=5"}


def test_nothing_to_keep_is_a_failure(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /one", {})

    failure = stage.play("{get: /one, keep: {id: result.id}}").failure

    assert failure is not None
    assert failure.wanted == "result.id: something to keep as 'id'"


def test_a_fault_is_set_as_it_is_written_with_its_quotes_filled_in(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /one", {"id": "a1"})
    canned.raw("POST /_abacito/faults", "application/json", b'{"id": "f1"}')
    canned.answer("DELETE /_abacito/faults/f1", None)

    outcome = stage.play(
        "{get: /one, keep: {actor: result.id}}",
        "{fault: {kind: killed, actor: '{actor}', after_s: 1}, keep: {fault: id}}",
        "{delete: '/_abacito/faults/{fault}'}",
    )

    assert outcome.failure is None
    assert json.loads(canned.asked[1].body) == {"kind": "killed", "actor": "a1", "after_s": 1}
    assert canned.lines[-1] == "DELETE /_abacito/faults/f1"


def test_a_live_abaco_has_no_faults_which_is_said(stage: Stage) -> None:
    with pytest.raises(Misconfigured, match=r"f.yaml:3: step 1: 'fault' has an emulator go wrong: the target is no"):
        stage.play("{fault: {kind: killed}}")


def test_a_step_without_a_word_on_its_status_must_succeed(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /bad", None, status=400)

    assert stage.play("{get: /bad, expect: {result: null}}").failure is not None
    assert stage.play("{get: /bad, expect: {status: error}}").failure is None
    assert stage.play("{get: /bad, expect: {status_code: 400}}").failure is None


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        ("json: {a: [1, true, null, é]}", '{"a": [1, true, null, "é"]}'.encode(), "application/json"),
        ("json: null", b"null", "application/json"),
        ("form: {message: a b, n: [1, true]}", b"message=a+b&n=1&n=true", "application/x-www-form-urlencoded"),
        ('body: \'{"a": {"b": 1}}\'', b'{"a": {"b": 1}}', None),
        ("base64: AAH/", b"\x00\x01\xff", "application/octet-stream"),
        ("bytes: 00 01 ff", b"\x00\x01\xff", "application/octet-stream"),
        ("bytes: '00', headers: {content-type: image/png}", b"\x00", "image/png"),
        ("body: ''", b"", None),
    ],
)
def test_a_body_goes_out_as_it_is_written(
    canned: Canned, stage: Stage, body: str, content: bytes, content_type: str | None
) -> None:
    canned.answer("POST /x", None)

    stage.play(f"{{post: /x, {body}}}")

    assert canned.asked[0].body == content
    assert canned.asked[0].headers.get("content-type") == content_type


def test_a_query_is_added_to_the_path(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /x?a=1&b=2&b=c+d", None)

    assert stage.play("{get: '/x?a=1', query: {b: [2, c d]}}").failure is None


@pytest.mark.parametrize(
    ("words", "authorization"),
    [("", "Bearer t0"), (", as: jane", "Bearer t1"), (", as: nobody", None)],
)
def test_a_step_is_asked_as_its_user(canned: Canned, stage: Stage, words: str, authorization: str | None) -> None:
    canned.answer("GET /x", None)

    stage.play(f"{{get: /x{words}}}")

    assert canned.asked[0].headers.get("authorization") == authorization


def test_a_user_without_a_token_is_refused_with_the_place_of_the_step(stage: Stage) -> None:
    with pytest.raises(Misconfigured, match=r"f\.yaml:3: step 1: there is no token for the user 'bob'"):
        stage.play("{get: /x, as: bob}")


def test_for_each_repeats_a_step_with_each_item_in_its_type(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /x", None)

    stage.play("{post: /x, json: '{item}', for_each: {item: [1, a, {b: null}, [ ]]}}")

    assert [asked.body for asked in canned.asked] == [b"1", b'"a"', b'{"b": null}', b"[]"]
    assert [report.number for report in stage.reports] == [1, 1, 1, 1]


def test_for_each_ends_with_its_first_failure(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /1", None)

    assert stage.play("{get: '/{n}', for_each: {n: [1, 2, 3]}}").failure is not None
    assert canned.lines == ["GET /1", "GET /2"]


def test_a_note_alone_asks_nothing_and_is_reported(canned: Canned, stage: Stage) -> None:
    stage.play("{note: 'once upon a time'}")

    assert canned.asked == []
    assert [(report.note, report.request) for report in stage.reports] == [("once upon a time", "")]


def test_actors_are_registered_first_and_deleted_last(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /actors/v2", {"id": "a1"}, {"id": "a2"})
    canned.answer("GET /a1/a2", None)

    outcome = stage.play("{get: '/{one}/{two}'}", head="actors: {one: echo, two: {image: fails, logEx: 5}}\n")

    assert outcome.failure is None
    assert canned.lines[:3] == ["POST /actors/v2", "POST /actors/v2", "GET /a1/a2"]
    assert canned.lines[3:] == ["DELETE /actors/v2/a1", "DELETE /actors/v2/a2"]
    assert [json.loads(asked.body) for asked in canned.asked[:2]] == [{"image": "echo"}, {"image": "fails", "logEx": 5}]


def test_untidy_play_leaves_its_actors(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /actors/v2", {"id": "a1"})

    stage.play("{note: x}", head="actors: {one: echo}\n", tidy=False)

    assert canned.lines == ["POST /actors/v2"]


def test_an_actor_that_is_refused_fails_the_story_before_its_first_step(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /actors/v2", None, status=400)

    failure = stage.play("{get: /x}", head="actors: {one: echo}\n").failure

    assert failure is not None
    assert (failure.number, failure.line) == (0, 2)
    assert canned.lines == ["POST /actors/v2"]


def test_a_wait_lasts_until_the_execution_has_the_status(canned: Canned, stage: Stage) -> None:
    canned.answer(EXECUTION, *({"status": status} for status in ("SUBMITTED", "RUNNING", "COMPLETE")))

    outcome = stage.play("{post: /actors/a1/messages, form: {message: x}, wait: {status: COMPLETE}}")

    assert outcome.failure is None
    assert canned.lines.count(EXECUTION) == 3


def test_a_step_that_waited_reports_the_log_and_the_answer_to_its_post(canned: Canned, stage: Stage) -> None:
    canned.answer(EXECUTION, {"status": "RUNNING"}, {"status": "COMPLETE"})

    stage.play("{post: /actors/a1/messages, form: {message: x y}, wait: {status: COMPLETE}}")

    (report,) = stage.reports
    assert (report.request, report.body, report.status_code) == ("POST /actors/a1/messages", "message=x y", 200)
    assert dig(report.answer, "result.msg") == "hello"
    assert report.logs is not None
    assert report.logs.splitlines()[-1] == "line 29"
    assert report.elapsed_s == pytest.approx(0.02)


def test_pauses_between_looks_grow_from_20_to_200_ms(canned: Canned, stage: Stage) -> None:
    canned.answer(EXECUTION, {"status": "RUNNING"})

    stage.play("{post: /actors/a1/messages, json: {}, wait: {status: COMPLETE, within_s: 2}}")

    assert stage.pace.slept[0] == pytest.approx(0.02)
    assert max(stage.pace.slept) == pytest.approx(0.2)
    assert sum(stage.pace.slept) == pytest.approx(2)


def test_a_late_execution_tells_what_was_last_seen_and_the_last_lines(canned: Canned, stage: Stage) -> None:
    canned.answer(EXECUTION, {"status": "SUBMITTED"}, {"status": "RUNNING"})

    failure = stage.play("{post: /actors/a1/messages, json: {}, wait: {status: COMPLETE, within_s: 1}}").failure

    assert failure is not None
    assert failure.wanted == 'result.status: "COMPLETE" within 1 s'
    assert failure.got == 'result.status: "RUNNING", last seen'
    assert failure.last_lines == "\n".join(f"line {n}" for n in range(20, 30))
    assert "    line 29" in str(failure)


def test_a_wait_ends_early_when_the_status_cannot_come_any_more(canned: Canned, stage: Stage) -> None:
    canned.answer(EXECUTION, {"status": "ERROR"})

    assert stage.play("{post: /actors/a1/messages, json: {}, wait: {status: COMPLETE}}").failure is not None
    assert stage.pace.slept == []


def test_a_wait_for_an_answer_without_an_execution_fails(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /x/messages", {"msg": "x"})

    failure = stage.play("{post: /x/messages, json: {}, wait: {status: COMPLETE}}").failure

    assert failure is not None
    assert failure.wanted == "result.executionId: the id of an execution to wait for"


def test_the_execution_of_a_nonce_is_looked_at_with_the_token(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /actors/a1/messages?x-nonce=n", {"executionId": "e1"})
    canned.answer(EXECUTION, {"status": "COMPLETE"})

    stage.play("{post: '/actors/a1/messages?x-nonce=n', as: nobody, json: {}, wait: {status: COMPLETE}}")

    assert canned.lines[1] == EXECUTION
    assert [asked.headers.get("authorization") for asked in canned.asked[:2]] == [None, "Bearer t0"]


def test_a_get_is_asked_until_it_answers_so(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /a", {"status": "SUBMITTED"}, {"status": "READY", "id": "a1"})

    outcome = stage.play(
        "{get: /a, wait: {until: {result: {status: READY}}, within_s: 5}, keep: {id: result.id}}", "{note: '{id}'}"
    )

    assert outcome.failure is None
    assert [report.note for report in stage.reports] == [None, "a1"]


def test_a_get_that_never_answers_so_tells_how_long_it_was_asked(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /a", {"status": "ERROR"})

    failure = stage.play("{get: /a, wait: {until: {result: {status: READY}}, within_s: 5}}").failure

    assert failure is not None
    assert failure.wanted == 'result.status: "READY" within 5 s'
    assert stage.pace.now_s == pytest.approx(105)


def test_an_answer_that_is_no_envelope_is_matched_by_its_text(canned: Canned, stage: Stage) -> None:
    canned.raw("GET /results", "application/octet-stream", b"raw \xff")

    outcome = stage.play("{get: /results, expect: {content_type: application/octet-stream, text: {pattern: ^raw}}}")

    assert outcome.failure is None
    assert stage.reports[0].answer == "raw \ufffd"


def snake(stage: Stage) -> Stage:
    stage.target = replace(stage.target, case=None)
    return stage


def test_a_camel_story_is_played_on_a_server_in_snake_case(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2?limit=1", {"_metadata": {"count_returned": 0}, "search": []})
    canned.answer("POST /actors/v2", {"id": "a1", "default_environment": {"a_b": 1}, "log_ex": None})
    canned.answer("POST /actors/a1/state", {"execution_id": "e1"})

    outcome = snake(stage).play(
        "{post: /actors/v2, json: {defaultEnvironment: {aB: 1}}, "
        "expect: {result: {defaultEnvironment: {a_b: 1}, logEx: {absent: true}}}}",
        "{post: /actors/a1/state, json: {logEx: 1}, keep: {e: result.executionId}}",
    )

    assert outcome.failure is None
    assert [json.loads(asked.body) for asked in canned.asked[1:]] == [{"default_environment": {"aB": 1}}, {"logEx": 1}]


def test_items_of_an_executions_list_become_camel_and_keep_their_nulls(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2?limit=1", {"_metadata": {"count_returned": 0}, "search": []})
    canned.answer("GET /list", {"total_io": 1, "executions": [{"id": "e", "start_time": None}]})

    expected = "{totalIo: 1, executions: [{id: e, startTime: null}]}"

    assert snake(stage).play(f"{{get: /list, expect: {{result: {expected}}}}}").failure is None


def test_what_an_admin_sees_becomes_camel_and_keeps_its_nulls(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2?limit=1", {"_metadata": {"count_returned": 0}, "search": []})
    canned.answer(
        "GET /workers", {"summary": {"total_workers": 1}, "workers": [{"actor_dbid": "T_a", "host_id": None}]}
    )

    expected = "{summary: {totalWorkers: 1}, workers: [{actorDbid: T_a, hostId: null}]}"

    assert snake(stage).play(f"{{get: /workers, expect: {{result: {expected}}}}}").failure is None


def test_a_server_that_does_not_tell_its_case_is_taken_for_camel(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2?limit=1", [])
    canned.answer("POST /x", None)

    snake(stage).play("{post: /x, json: {logEx: 1}}")

    assert json.loads(canned.asked[1].body) == {"logEx": 1}


def test_a_target_that_does_not_answer_is_unavailable(canned: Canned, stage: Stage) -> None:
    stage.target = Target("http://127.0.0.1:9", case="camel")

    with pytest.raises(Unavailable, match=r"no answer from http://127\.0\.0\.1:9 to GET /x"):
        stage.play("{get: /x}")


def test_a_base_url_that_is_none_is_refused(stage: Stage) -> None:
    stage.target = Target("localhost", case="camel")

    with pytest.raises(Misconfigured, match="'localhost' cannot be asked"):
        stage.play("{get: /x}")


def test_a_token_is_not_shown_with_its_target(stage: Stage) -> None:
    assert "t0" not in repr(stage.target)
    assert "t1" not in repr(stage.target)


@pytest.fixture
def executed(canned: Canned) -> Canned:
    """An actor ``a1`` whose execution ``e1`` ends on the second look."""
    ended = {"id": "e1", "status": "COMPLETE", "exitCode": 3}
    canned.answer("POST /actors/v2/a1/messages", {"executionId": "e1"})
    canned.answer("GET /actors/v2/a1/executions/e1", {"id": "e1", "status": "RUNNING"}, ended)
    canned.answer("GET /actors/v2/a1/executions/e1/logs", {"logs": "so it is"})
    for text in (b"one", b"two", b""):
        canned.raw("GET /actors/v2/a1/executions/e1/results", "application/octet-stream", text)
    return canned


@pytest.mark.parametrize(
    ("message", "content"),
    [("message: a b", b"message=a+b"), ("message: {n: [1]}", b'{"n": [1]}'), ("bytes: 00 ff", b"\x00\xff")],
)
def test_a_run_sends_its_message_as_it_is(executed: Canned, stage: Stage, message: str, content: bytes) -> None:
    stage.play(f"{{run: a1, {message}}}")

    assert executed.asked[0].body == content


def test_a_run_sees_its_execution_at_its_end_with_log_and_results(executed: Canned, stage: Stage) -> None:
    wanted = "{status: COMPLETE, exitCode: 3, logs: so it is, results: [one, two]}"

    outcome = stage.play(f"{{run: a1, message: x, expect: {wanted}, keep: {{e: id}}}}", "{note: '{e}'}")

    assert outcome.failure is None
    assert stage.reports[-1].note == "e1"


def test_a_run_leaves_results_that_nobody_asks_for(executed: Canned, stage: Stage) -> None:
    stage.play("{run: a1, message: x, expect: {exitCode: 3}}")

    assert not any("results" in line for line in executed.lines)


def test_a_run_that_expects_no_status_must_be_complete(executed: Canned, stage: Stage) -> None:
    executed.answers["GET /actors/v2/a1/executions/e1"].pop()
    executed.answer("GET /actors/v2/a1/executions/e1", {"id": "e1", "status": "ERROR"})

    failure = stage.play("{run: a1, message: x, expect: {logs: so it is}}").failure

    assert failure is not None
    assert (failure.line, failure.wanted, failure.got) == (3, 'status: "COMPLETE"', 'status: "ERROR"')
    assert failure.last_lines == "so it is"


def test_a_run_that_is_refused_is_answered_as_a_request(canned: Canned, stage: Stage) -> None:
    canned.answer("POST /actors/v2/a1/messages", None, status=400)

    assert stage.play("{run: a1, message: x, expect: {status_code: 400, message: not fine}}").failure is None
    assert stage.play("{run: a1, message: x, expect: {logs: x}}").failure is not None


def test_a_run_ends_soon_when_its_actor_cannot_run(executed: Canned, stage: Stage) -> None:
    executed.answers["GET /actors/v2/a1/executions/e1"] = []
    executed.answer("GET /actors/v2/a1/executions/e1", {"id": "e1", "status": "SUBMITTED"})
    executed.answer("GET /actors/v2/a1", {"status": "ERROR", "statusMessage": "no such image "})

    failure = stage.play("{run: a1, message: x, wait: {within_s: 600}}").failure

    assert failure is not None
    assert failure.got == 'result.status: "SUBMITTED", last seen; the actor is in ERROR: no such image'
    assert stage.pace.now_s < 105


def test_a_run_whose_actor_has_only_just_failed_is_waited_for(executed: Canned, stage: Stage) -> None:
    waiting = [{"id": "e1", "status": "SUBMITTED"}] * LOOKS_PER_ACTOR
    executed.answers["GET /actors/v2/a1/executions/e1"] = []
    executed.answer("GET /actors/v2/a1/executions/e1", *waiting, {"id": "e1", "status": "ERROR"})
    executed.answer("GET /actors/v2/a1", {"status": "ERROR"})

    assert stage.play("{run: a1, message: x, expect: {status: ERROR}}").failure is None


def test_a_step_waits_until_nothing_waits_or_runs(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2", [{"id": "a1"}])
    canned.answer("GET /actors/v2/a1", {"id": "a1"})
    canned.answer("GET /actors/v2/a1/messages", {"messages": 1}, {"messages": 0})
    canned.answer("GET /actors/v2/a1/executions", {"executions": [{"status": "COMPLETE"}]})

    outcome = stage.play("{wait: {quiet: true}, as: jane}")

    assert outcome.failure is None
    assert canned.lines.count("GET /actors/v2/a1/messages") == 2
    assert {asked.headers["authorization"] for asked in canned.asked} == {"Bearer t1"}
    assert (stage.reports[0].request, stage.reports[0].status_code) == ("wait until it is quiet", None)


def test_what_never_becomes_quiet_tells_who_is_not(canned: Canned, stage: Stage) -> None:
    canned.answer("GET /actors/v2", [{"id": "a1"}])
    canned.answer("GET /actors/v2/a1/messages", {"messages": 2})
    canned.answer("GET /actors/v2/a1/executions", {"executions": []})

    failure = stage.play("{wait: {quiet: true, within_s: 0.05}}").failure

    assert failure is not None
    assert failure.wanted == "quiet: no message waits and no execution runs within 0.05 s"
    assert "<actor a1> has 2 waiting" in failure.got


def test_a_failure_in_an_included_story_names_its_file_and_line(canned: Canned, stage: Stage, tmp_path: Path) -> None:
    canned.answer("GET /one", None)
    inner = tmp_path / "inner.yaml"
    inner.write_text("title: inner\nsteps:\n  - get: /one\n  - get: /two\n")

    failure = stage.play("{get: /one}", f"{{include: {inner}}}").failure

    assert failure is not None
    assert (failure.file, failure.line, failure.number) == (str(inner), 4, 3)


def test_users_without_a_token_are_told_before_anything_is_played(canned: Canned, stage: Stage) -> None:
    with pytest.raises(Misconfigured, match=r"f\.yaml:4: the story needs the user 'bob': --user-token bob=TOKEN"):
        stage.play("{get: /x}", head="actors: {one: echo}\nusers: {jane: {},\n bob: {}}\n")

    assert canned.asked == []
