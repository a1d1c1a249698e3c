"""What a recording makes of exchanges; what it made is read as a story each time."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from abacito.scenario import story
from abacito.scenario.ask import Case
from abacito.scenario.page import as_yaml, read_page
from abacito.scenario.recording.exchange import Exchange
from abacito.scenario.recording.recorder import Noted, Recorder

ACTOR, EXECUTION, NONCE = "8OOxmDqAbB8Nq", "pOO0mMeV4E6lJ", "TACC-PROD_eLLAkW0Yx3gZ4"
MINE = "a-token-of-mine-0123456789"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def token_of(name: str) -> str:
    return jwt.encode({"sub": f"{name}@tacc.prod", "tapis/username": name}, "x" * 32)


class Client:
    """Has exchanges noted as a client would cause them, each a second after the other."""

    def __init__(self, case: Case = "camel") -> None:
        self.recorder = Recorder("what was done", case)
        self.now_s = 0.0

    def ask(
        self,
        line: str,
        result: Any = None,
        *,
        form: dict[str, str] | None = None,
        body: Any = None,
        raw: tuple[bytes, str] | None = None,
        status: int = 200,
        token: str | None = MINE,
        headers: dict[str, str] | None = None,
        answer: tuple[bytes, str] | None = None,
        took_s: float = 1.0,
    ) -> Noted:
        method, path = line.split(" ", 1)
        content, sent_type = raw or (b"", "")
        if form is not None:
            content, sent_type = urlencode(form).encode(), FORM
        if body is not None:
            content, sent_type = json.dumps(body).encode(), JSON
        envelope = {
            "status": "success" if status < 400 else "error",
            "message": "fine",
            "result": result,
            "version": "1",
        }
        answered, answer_type = answer or (json.dumps(envelope).encode(), JSON)
        sent = {"authorization": f"Bearer {token}"} if token else {}
        sent |= {"content-type": sent_type} if sent_type else {}
        began_s, self.now_s = self.now_s, self.now_s + took_s
        return self.recorder.add(
            Exchange(method, path, sent | (headers or {}), content, status, answer_type, answered, began_s, self.now_s)
        )

    def registers(self) -> None:
        self.ask("POST /actors/v2", {"id": ACTOR}, form={"image": "echo"})

    def sends(self, message: str = "hi") -> None:
        self.ask(f"POST /actors/v2/{ACTOR}/messages", {"executionId": EXECUTION}, form={"message": message})

    @property
    def text(self) -> str:
        return self.recorder.story()

    @property
    def story(self) -> dict[str, Any]:
        """As it is written; it can be read as a story."""
        story.read(self.text, "recorded.yaml")
        document: dict[str, Any] = read_page(self.text, "recorded.yaml").document
        return document

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.story["steps"]
        return steps


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_id_is_kept_where_it_was_shown_first_and_quoted_where_it_is_sent(client: Client) -> None:
    client.registers()
    client.ask(f"GET /actors/v2/{ACTOR}", {"id": ACTOR, "image": "echo"})
    client.ask(f"POST /actors/v2/aliases?of={ACTOR}", body={"actorId": ACTOR, "note": f"of {ACTOR}!"})

    first, second, third = client.steps
    assert first["keep"] == {"actor": "result.id"}
    assert (second["get"], "keep" in second) == ("/actors/v2/{actor}", False)
    assert third["post"] == "/actors/v2/aliases?of={actor}"
    assert third["json"] == {"actorId": "{actor}", "note": "of {actor}!"}


def test_an_id_that_nobody_sends_is_not_kept(client: Client) -> None:
    client.registers()

    assert "keep" not in client.steps[0]


def test_ids_are_named_after_what_they_are_of(client: Client) -> None:
    client.registers()
    client.sends()
    client.ask(f"GET /actors/v2/{ACTOR}/workers", [{"id": "workerA0123"}, {"id": "workerB0123"}])
    for path in (f"executions/{EXECUTION}", "workers/workerB0123", "workers/workerA0123"):
        client.ask(f"DELETE /actors/v2/{ACTOR}/{path}")

    assert [step.get("keep") for step in client.steps[:3]] == [
        {"actor": "result.id"},
        {"execution": "result.executionId"},
        {"worker": "result.1.id", "worker2": "result.0.id"},
    ]


def test_of_what_was_asked_repeatedly_the_last_answer_shows_the_ids(client: Client) -> None:
    client.ask("GET /actors/v2/x/workers", [{"id": "workerA0123"}])
    client.ask("GET /actors/v2/x/workers", [{"id": "workerB0123"}, {"id": "workerA0123"}])
    client.ask("DELETE /actors/v2/x/workers/workerA0123")

    assert client.steps[0]["keep"] == {"worker": "result.1.id"}


def test_what_the_client_has_chosen_stays_as_it_is(client: Client) -> None:
    client.ask("POST /actors/v2/aliases", {"id": "my-counter", "alias": "my-counter"}, body={"alias": "my-counter"})
    client.ask("GET /actors/v2/my-counter", {})

    assert client.steps[1]["get"] == "/actors/v2/my-counter"


def test_an_id_from_before_the_recording_stays_as_it_is(client: Client) -> None:
    client.ask(f"GET /actors/v2/{ACTOR}", {"id": ACTOR, "image": "echo"})

    assert client.steps[0]["get"] == f"/actors/v2/{ACTOR}"


def test_what_looks_like_a_quote_stands_for_itself(client: Client) -> None:
    client.sends("{actor} and {{this}} and { that }")

    assert client.steps[0]["form"] == {"message": "{{actor}} and {{{this}}} and { that }"}


def test_the_first_token_is_nobodys_in_particular_and_others_have_names(client: Client) -> None:
    for token in (MINE, token_of("jane"), "opaque-token-of-somebody", token_of("jane")):
        client.ask("GET /actors/v2/x", {}, token=token)
        client.ask("DELETE /actors/v2/x", {}, token=token)

    users = [step.get("as") for step in client.steps[::2]]
    assert users == [None, "jane", "user3", "jane"]
    assert client.story["users"] == {"jane": {}, "user3": {}}


def test_a_token_that_was_fetched_is_its_users(client: Client) -> None:
    client.ask("GET /actors/v2/x", {})
    fetched = (json.dumps({"access_token": "fetched-token", "refresh_token": "another"}).encode(), JSON)
    login = {"grant_type": "password", "username": "jane", "password": "sesame-42"}
    told = client.ask(
        "POST /token", form=login, token=None, headers={"authorization": "Basic a2V5Onplcm8="}, answer=fetched
    )
    client.ask("DELETE /actors/v2/x", {}, token="fetched-token")

    assert (told.number, told.why_not) == (None, "it is about credentials")
    assert [step.get("as") for step in client.steps] == [None, "jane"]


def test_a_token_that_does_not_count_is_sent_as_one_that_does_not(client: Client) -> None:
    client.ask("GET /actors/v2", token="expired-long-ago", status=401)
    client.ask("GET /actors/v2", [])

    first, second = client.steps
    assert (first["as"], first["headers"]) == ("nobody", {"Authorization": "Bearer (secret)"})
    assert "as" not in second
    assert "users" not in client.story


def test_a_request_without_credentials_is_nobodys_when_that_matters(client: Client) -> None:
    client.registers()
    client.ask(f"POST /actors/v2/{ACTOR}/nonces", {"id": NONCE}, body={})
    client.ask(f"GET /actors/v2/{ACTOR}?x-nonce={NONCE}", {}, token=None)
    client.ask("GET /actors/v2", None, token=None, status=401)
    client.ask("GET /tenants", [], token=None)

    assert [step.get("as") for step in client.steps[2:]] == ["nobody", "nobody", None]


def test_no_secret_stands_in_a_story(client: Client) -> None:
    secrets = [MINE, token_of("jane"), "sesame-42", "hunter-22", "consumer-key-1", "confidential", NONCE, "refreshed-1"]
    client.registers()
    client.ask(f"POST /actors/v2/{ACTOR}/nonces", {"id": NONCE, "maxUses": 1}, body={"maxUses": 1})
    client.ask(f"POST /actors/v2/{ACTOR}/messages?x-nonce={NONCE}", {"msg": NONCE}, token=None, form={"message": "x"})
    keys = {"consumerKey": "consumer-key-1", "consumerSecret": "sesame-42"}
    client.ask(
        "POST /clients/v2", keys, headers={"authorization": f"Basic {base64.b64encode(b'me:hunter-22').decode()}"}
    )
    client.ask("POST /actors/v2/configs", {}, body={"name": "c", "value": "confidential", "isSecret": True})
    client.ask("POST /actors/v2", {}, body={"image": "x", "defaultEnvironment": {"DB_PASSWORD": "sesame-42"}})
    client.ask("PUT /actors/v2/x/state", {"state": "it is confidential"}, body={"is": "confidential", "by": [MINE]})
    client.ask("POST /actors/v2/x/messages", {}, raw=(f"key {token_of('jane')} sesame-42".encode(), "text/plain"))
    client.ask("GET /x/logs", {"logs": f"token={MINE}\nAuthorization: Bearer unseen\npassword = 'unseen-2'\nfine\n"})
    client.ask("POST /x/messages", {}, form={"message": "password=unseen-3", "refresh_token": "refreshed-1"})
    client.ask(f"GET /x?token={MINE}&password=sesame-42", {})

    assert client.steps
    assert not [secret for secret in [*secrets, "unseen"] if secret in client.text]
    assert "fine" in client.text


def test_what_turns_out_to_be_secret_later_is_taken_out_of_earlier_steps(client: Client) -> None:
    client.ask("POST /x/messages?word=sesame", {"msg": "sesame, open"}, form={"message": "sesame, open"})
    client.ask("POST /x/messages", {}, raw=(b"\xff sesame", "application/octet-stream"))
    client.ask("POST /x/messages", {}, form={"message": "sesameseed"})
    client.ask("POST /token", {}, form={"username": "me", "password": "sesame"})

    assert "sesame" not in client.text.replace("sesameseed", "")
    assert base64.b64decode(client.steps[1]["base64"]) == b"(secret)"
    assert client.steps[0]["form"] == {"message": "(secret), open"}


def test_a_password_that_is_a_word_of_a_path_leaves_the_path_alone(client: Client) -> None:
    client.ask("POST /token", {}, form={"username": "abacito", "password": "abacito"})
    client.ask("DELETE /_abacito/faults/f1", {})
    client.ask("GET /profiles/v2/abacito", {}, token=token_of("abacito"))

    assert [step.get("delete", step.get("get")) for step in client.steps] == [
        "/_abacito/faults/f1",
        "/profiles/v2/abacito",
    ]
    assert client.steps[1]["as"] == "abacito"


def test_a_step_that_cannot_go_without_a_secret_is_left_out(client: Client) -> None:
    client.ask("GET /actors/v2/x", {})

    old = client.ask(f"GET /actors/v2/x?x-nonce={NONCE}", {}, token=None)
    binary = client.ask("POST /x/messages", {}, raw=(b"\xff" + MINE.encode(), "application/octet-stream"))

    assert old.why_not == "its nonce was not made in this recording"
    assert binary.why_not == "something secret is in its binary body"
    assert NONCE not in old.title
    assert len(client.steps) == 1


def test_only_what_is_stable_is_expected(client: Client) -> None:
    client.ask("GET /actors/v2/x", {})
    fields = {
        "image": "echo",
        "maxUses": 3,
        "privileged": False,
        "createTime": "2026-11-23T21:00:00Z",
        "lastUpdate": "x",
        "_links": {"self": "http://127.0.0.1/x"},
        "id": ACTOR,
        "seen": "at 12:13:14",
        "made": "by 7YYbm4EJW6zlm",
        "where": "see https://api.tacc.utexas.edu/x",
        "owner": "me",
        "description": "",
        "link": None,
        "cpu": 7,
        "mounts": [{"a": 1}],
        "hints": ["one", 2, None],
        "contains": "no matcher",
    }
    client.ask("POST /actors/v2/x/nonces", fields)

    assert client.steps[1]["expect"] == {
        "status_code": 200,
        "message": "fine",
        "result": {"image": "echo", "maxUses": 3, "privileged": False, "hints": ["one", 2, None]},
    }


def test_of_an_answer_that_repeats_what_was_sent_the_rest_is_not_expected(client: Client) -> None:
    client.ask("POST /actors/v2", {"image": "echo", "queue": "default"}, form={"image": "echo", "name": "x"})
    client.ask("POST /actors/v2/x/messages", {"msg": "hello"}, form={"message": "hello"})

    assert [step["expect"]["result"] for step in client.steps] == [{"image": "echo"}, {"msg": "hello"}]


def test_a_refusal_is_expected_with_its_words(client: Client) -> None:
    client.ask("POST /actors/v2", None, form={}, status=400)

    assert client.steps[0]["expect"] == {"status_code": 400, "message": "fine"}


def test_polling_is_one_step_that_waits_for_the_last_answer(client: Client) -> None:
    client.registers()
    client.sends()
    for status in ("SUBMITTED", "RUNNING", "COMPLETE"):
        ended = {"exitCode": 0} if status == "COMPLETE" else {}
        client.ask(f"GET /actors/v2/{ACTOR}/executions/{EXECUTION}", {"id": EXECUTION, "status": status, **ended})

    assert len(client.steps) == 3
    assert client.steps[2]["wait"] == {
        "until": {"status_code": 200, "message": "fine", "result": {"status": "COMPLETE", "exitCode": 0}}
    }


def test_polling_for_something_to_be_gone_expects_its_refusal(client: Client) -> None:
    client.ask("GET /actors/v2/x", {"image": "echo"})
    client.ask("GET /actors/v2/x", status=404)

    (step,) = client.steps
    assert (step["wait"]["until"]["status_code"], step["expect"]) == (404, {"status_code": 404})


def test_an_execution_that_was_seen_to_run_is_waited_for_until_it_has_begun(client: Client) -> None:
    client.ask("GET /actors/v2/x/executions/y", {"status": "RUNNING"})

    assert client.steps[0]["wait"]["until"]["result"] == {"status": {"one_of": ["RUNNING", "COMPLETE", "ERROR"]}}


def test_what_took_long_is_waited_for_twice_as_long(client: Client) -> None:
    client.sends()
    client.ask(f"GET /actors/v2/x/executions/{EXECUTION}", {"status": "RUNNING"}, took_s=8)
    client.ask(f"GET /actors/v2/x/executions/{EXECUTION}", {"status": "COMPLETE"}, took_s=30)

    assert client.steps[1]["wait"]["within_s"] == 76


def test_a_log_is_waited_for_by_its_stable_lines(client: Client) -> None:
    client.ask("GET /actors/v2/x/executions/y/logs", {"logs": "hello\nat 2026-11-23T21:00:00\nworld\nworld\n"})

    assert client.steps[0]["wait"]["until"]["result"] == {"logs": {"contains": ["hello", "world"]}}


def test_a_log_is_in_its_own_step_each_time_it_was_read_between_others(client: Client) -> None:
    for _ in range(2):
        client.ask("GET /actors/v2/x/executions/y", {"status": "RUNNING"})
        client.ask("GET /actors/v2/x/executions/y/logs", {"logs": "hello"})

    assert len(client.steps) == 4


def test_each_result_that_was_read_is_a_step_and_looking_in_vain_is_none(client: Client) -> None:
    for content in (b"", b"", b"one", b"two"):
        client.ask("GET /actors/v2/x/executions/y/results", answer=(content, "application/octet-stream"))

    assert [step["wait"]["until"]["text"] for step in client.steps] == [{"contains": "one"}, {"contains": "two"}]


def test_what_is_got_by_a_nonce_is_asked_once_for_each_use(client: Client) -> None:
    client.registers()
    client.ask(f"POST /actors/v2/{ACTOR}/nonces", {"id": NONCE}, body={})
    for _ in range(2):
        client.ask(f"GET /actors/v2/{ACTOR}?x-nonce={NONCE}", {"status": "READY"}, token=None)

    assert ["wait" in step for step in client.steps] == [False, False, False, False]


def test_the_lists_of_an_actor_of_the_story_have_a_length(client: Client) -> None:
    client.registers()
    client.ask(f"GET /actors/v2/{ACTOR}/executions", {"executions": [{"id": EXECUTION}]})
    client.ask("GET /actors/v2/theirs/executions", {"executions": [{"id": EXECUTION}], "image": "x"})

    assert client.steps[1]["wait"]["until"]["result"] == {"executions": {"length": 1}}
    assert client.steps[2]["wait"]["until"]["result"] == {"image": "x"}


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ((b'{"a": [1, null]}', JSON), {"json": {"a": [1, None]}}),
        ((b"null", JSON), {"json": None}),
        ((b"{bad", JSON), {"headers": {"Content-Type": JSON}, "body": "{bad"}),
        ((b'{"a": NaN}', JSON), {"headers": {"Content-Type": JSON}, "body": '{"a": NaN}'}),
        ((b'"\\ud800"', JSON), {"headers": {"Content-Type": JSON}, "body": '"\\ud800"'}),
        ((b"[" * 500 + b"]" * 500, JSON), {"headers": {"Content-Type": JSON}, "body": "[" * 500 + "]" * 500}),
        ((b"message=a+b&n=1&n=2", FORM), {"form": {"message": "a b", "n": ["1", "2"]}}),
        ((b'{"a": 1}', FORM), {"headers": {"Content-Type": FORM}, "body": '{"a": 1}'}),
        ((b"hello", "text/plain"), {"headers": {"Content-Type": "text/plain"}, "body": "hello"}),
        ((b"hello", ""), {"body": "hello"}),
        ((b"{}", f"{JSON}; charset=utf-8"), {"headers": {"Content-Type": f"{JSON}; charset=utf-8"}, "json": {}}),
        ((b"", "application/octet-stream"), {"headers": {"Content-Type": "application/octet-stream"}}),
        ((b"\xff\x00", "application/octet-stream"), {"base64": "/wA="}),
        ((b"hello", "application/octet-stream"), {"base64": "aGVsbG8="}),
        ((b"\xff", "image/png"), {"headers": {"Content-Type": "image/png"}, "base64": "/w=="}),
    ],
)
def test_a_body_is_written_in_the_form_that_sends_it_again(
    client: Client, raw: tuple[bytes, str], written: dict[str, Any]
) -> None:
    client.ask("POST /actors/v2/x/messages", {}, raw=raw)

    (step,) = client.steps
    assert {key: step[key] for key in step if key not in ("post", "expect")} == written


@pytest.mark.parametrize("verb", [{"travel": "2h"}, {"tick": "3s"}, {"at": "2027-01-01"}, {"freeze": True}])
def test_moves_of_the_clock_are_steps_of_their_own(client: Client, verb: dict[str, Any]) -> None:
    client.ask("POST /_abacito/clock", answer=(b'{"now": "x"}', JSON), body={**verb, "force": False})

    assert client.steps == [verb]


def test_a_fault_is_a_step_and_so_is_clearing_it(client: Client) -> None:
    client.registers()
    fault = {"kind": "killed", "actor": ACTOR}
    client.ask("POST /_abacito/faults", answer=(b'{"id": "f1", "kind": "killed"}', JSON), body=fault)
    client.ask("DELETE /_abacito/faults/f1", answer=(b'{"faults": []}', JSON))

    assert client.steps[1] == {"fault": {"kind": "killed", "actor": "{actor}"}, "keep": {"fault": "id"}}
    assert client.steps[2]["delete"] == "/_abacito/faults/{fault}"


def test_an_emulators_own_wait_is_one_that_any_abaco_has(client: Client) -> None:
    client.registers()
    client.sends()
    wait = f"GET /_abacito/wait?actor={ACTOR}&execution={EXECUTION}&within=20"
    late = client.ask(wait, {"status": "RUNNING"}, status=408)
    client.ask(wait, {"status": "COMPLETE", "exitCode": 0})

    assert late.number is None
    assert client.steps[2] == {
        "get": "/actors/v2/{actor}/executions/{execution}",
        "wait": {"until": {"status_code": 200, "result": {"status": "COMPLETE", "exitCode": 0}}},
    }


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /_abacito/clock", {"reset": True}),
        ("POST /_abacito/clock", {"travel": "1h", "tenant": "DEV"}),
        ("GET /_abacito/health", None),
        ("HEAD /actors/v2", None),
    ],
)
def test_what_a_story_has_no_word_for_is_left_out(client: Client, line: str, body: Any) -> None:
    told = client.ask(line, {}, body=body)

    assert told.number is None
    assert told.why_not
    assert len(client.recorder) == 0


def test_a_server_in_snake_case_is_recorded_in_camel_case() -> None:
    client = Client("snake")
    answer = {"id": ACTOR, "default_environment": {"a_b": "c"}, "max_workers": 1, "mem_limit": "1g"}
    client.ask("POST /actors/v2", answer, body={"max_workers": 1, "default_environment": {"a_b": "c"}})
    client.ask(f"POST /actors/v2/{ACTOR}/messages", {"execution_id": EXECUTION}, body={"max_uses": 1})
    client.ask(f"GET /actors/v2/{ACTOR}/executions/{EXECUTION}", {"exit_code": 0})

    first, second, third = client.steps
    assert (first["json"], second["json"]) == (
        {"maxWorkers": 1, "defaultEnvironment": {"a_b": "c"}},
        {"max_uses": 1},
    )
    assert first["expect"]["result"] == {"defaultEnvironment": {"a_b": "c"}, "maxWorkers": 1}
    assert second["keep"] == {"execution": "result.executionId"}
    assert third["wait"]["until"]["result"] == {"exitCode": 0}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
@example("\x85")
@example("a\u2028b\u2029")
def test_whatever_is_written_is_read_as_it_was(value: Any) -> None:
    assert read_page(as_yaml({"it": value}), "f.yaml").document == {"it": value}


@given(JSON_VALUES, JSON_VALUES)
def test_any_exchange_makes_a_story_that_can_be_read(sent: Any, result: Any) -> None:
    client = Client()
    client.ask("POST /actors/v2/x/messages", result, body=sent)
    client.ask("GET /actors/v2/x/executions", result)

    assert 1 <= len(client.steps) <= 2
