"""agavepy and tapispy, unmodified, from log-in over an expired token to deletion: one walk each, many claims."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from abacito.emulator import Emulator
from tests.clients.conftest import Asked

WALK = Path(__file__).with_name("walk_agavepy.py")
HOST = "https://api.tacc.utexas.edu"


@dataclass(frozen=True)
class Walk:
    """What the client's user saw, and what the emulator was asked meanwhile; ``earlier`` is an actor of the same
    user's, registered before over plain HTTP."""

    seen: dict[str, Any]
    asked: list[Asked]
    earlier: str

    def __getitem__(self, name: str) -> Any:
        return self.seen[name]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("agavepy", "agavepy.agave", "Agave"), id="agavepy"),
        pytest.param(("tapispy", "tapispy.tapis", "Tapis"), id="tapispy", marks=pytest.mark.slow),
    ],
)
def walk(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    asked: list[Asked],
    expire: str,
    python_of: Callable[[str], Path],
) -> Walk:
    client, module, kind = request.param
    emulator.reset()
    others, own = (emulator.client(name).register("abacosamples/test").id for name in ("jane", "jdoe"))
    before = len(asked)
    command = [python_of(client), "-W", "ignore", WALK, module, kind, HOST, emulator.url, others, expire]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return Walk(json.loads(done.stdout.splitlines()[-1]), asked[before:], own)


@pytest.mark.walks("agavepy", "tapispy", steps=["log in"])
def test_making_a_client_with_a_password_logs_in(walk: Walk) -> None:
    """spec: clients #7, #9, #19"""
    assert {"name", "consumerKey", "consumerSecret"} <= set(walk["client of jdoe"])
    assert Counter(each.grant for each in walk.asked if each.path == "/token")["password"] == 2
    assert walk["profile"] == "jdoe"


@pytest.mark.walks("agavepy", "tapispy", steps=["register"])
def test_a_new_actor_is_answered_with_its_fields_and_gets_ready(walk: Walk) -> None:
    """spec: clients #22, #23"""
    fields = {"id", "name", "image", "owner", "status", "stateless", "privileged", "defaultEnvironment"}
    fields |= {"createTime", "lastUpdateTime", "_links"}

    assert set(walk["actor"]) >= fields
    assert walk["actor"]["defaultEnvironment"] == {"key1": "value1"}
    assert set(walk["unnamed"]) >= fields - {"name"}
    assert "name" not in walk["unnamed"]
    assert walk["got"]["status"] == "READY"


def test_the_other_cases_spelling_is_taken_and_has_no_effect(walk: Walk) -> None:
    """spec: clients #21"""
    assert walk["unnamed"]["defaultEnvironment"] == {}


@pytest.mark.walks("agavepy", "tapispy", steps=["list"])
def test_the_list_holds_the_actors_and_with_a_limit_it_is_a_search(walk: Walk) -> None:
    """spec: clients #24, #61"""
    assert walk["list"] == [walk.earlier, walk["actor"]["id"], walk["unnamed"]["id"]]
    # The client takes every answer for a list of records; of a search it leaves no more than the names of its parts.
    assert [set(each.values()) for each in walk["search"]] == [{"_metadata"}, {"search"}]


@pytest.mark.walks("agavepy", "tapispy", steps=["get"])
def test_an_actor_is_got_and_an_unknown_one_is_an_http_error(walk: Walk) -> None:
    """spec: clients #25"""
    assert walk["got"]["id"] == walk["actor"]["id"]
    assert walk["unknown"] == ["HTTPError", 404, "error"]
    assert walk["another's"] == ["HTTPError", 400, "error"]


@pytest.mark.walks("agavepy", "tapispy", steps=["send raw", "logs"])
def test_a_text_message_and_its_variables_are_in_the_log(walk: Walk) -> None:
    """spec: clients #27, #29, #35"""
    answer, log = walk["raw"]["answer"], walk["raw"]["log"].splitlines()

    assert (answer["msg"], bool(answer["executionId"])) == ("hello", True)
    assert {"Contents of MSG: hello", "MSG=hello", "_abaco_Content_Type=str"} <= set(log)
    assert {"foo=bar", "key1=value1"} <= set(log)
    assert any(each.query == "foo=bar&environment=foo" for each in walk.asked)  # the client's own oddity


@pytest.mark.walks("agavepy", "tapispy", steps=["send JSON"])
def test_a_json_message_arrives_as_pythons_repr(walk: Walk) -> None:
    """spec: clients #28"""
    log = walk["json"]["log"].splitlines()

    assert {"MSG={'a': [1, None, True]}", "_abaco_Content_Type=application/json"} <= set(log)


@pytest.mark.walks("agavepy", "tapispy", steps=["send binary"])
def test_a_binary_message_arrives_byte_for_byte(walk: Walk) -> None:
    """spec: clients #30"""
    digest = hashlib.sha256(bytes(range(256))).hexdigest()

    assert walk["binary"]["answer"]["msg"] == "binary - omitted"
    assert walk["binary"]["log"] == f"size: 256\nsha256: {digest}\n"


def test_text_that_the_client_calls_json_and_that_is_none_is_refused(walk: Walk) -> None:
    """spec: clients #31"""
    assert walk["no JSON"] == [["HTTPError", 400, "error"]] * 2


@pytest.mark.walks("agavepy", "tapispy", steps=["wait", "details"])
def test_an_execution_completes_with_all_its_details(walk: Walk) -> None:
    """spec: clients #34, #37"""
    done = walk["execution"]
    assert (done["status"], done["exitCode"], done["finalState"]["ExitCode"]) == ("COMPLETE", 0, 0)
    assert {"cpu", "io", "runtime", "workerId", "startTime", "finishTime", "messageReceivedTime"} <= set(done)
    assert done["_links"]["logs"].endswith("/logs")
    executions = walk["executions"]
    assert [each["status"] for each in executions["executions"]] == ["COMPLETE", "COMPLETE"]
    totals = [executions[f"total{what}"] for what in ("Executions", "Cpu", "Io", "Runtime")]
    assert totals[0] == 2
    assert all(isinstance(each, int) for each in totals)


def test_waiting_messages_are_counted_and_deleted_although_the_client_stumbles(walk: Walk) -> None:
    """The answer to a deletion has a model that the clients lack: a KeyError, when all is done."""
    assert walk["waiting"] == 0
    assert walk["cleared"] == ["KeyError"]
    assert any(each.method == "DELETE" and each.path.endswith("/messages") for each in walk.asked)


@pytest.mark.walks("agavepy", "tapispy", steps=["results"])
def test_each_result_comes_once_and_then_an_empty_body(walk: Walk) -> None:
    """spec: clients #36"""
    texts = ["result 0", "result 1", "", ""]

    assert walk["results"] == [[200, text, "application/octet-stream"] for text in texts]


@pytest.mark.walks("agavepy", "tapispy", steps=["state"])
def test_the_state_is_read_back_as_it_was_written(walk: Walk) -> None:
    """spec: clients #38"""
    assert walk["state"] == {"count": [1, 2]}
    assert walk["state from text"] == {"as": "text"}


@pytest.mark.walks("agavepy", "tapispy", steps=["permissions"])
def test_permissions_are_the_whole_dictionary_and_none_stays_visible(walk: Walk) -> None:
    """spec: clients #39"""
    assert walk["granted"] == {"jdoe": "UPDATE", "jane": "READ"}
    assert walk["permissions"] == {"jdoe": "UPDATE", "jane": "NONE"}


@pytest.mark.walks("agavepy", "tapispy", steps=["nonces"])
def test_a_nonce_lets_in_without_a_token_until_it_is_used_up(walk: Walk) -> None:
    """spec: clients #32, #33"""
    by_nonce = [each for each in walk.asked if "x-nonce=" in each.query]
    bodyless = [each for each in walk.asked if each.path.endswith("/nonces") and each.content_type is None]

    assert (walk["nonce"]["level"], walk["nonce"]["maxUses"]) == ("EXECUTE", -1)
    assert [each.method for each in bodyless] == ["POST", "GET"]
    assert walk["listed nonces"] is True
    assert walk["by nonce"] == "by nonce"
    assert (walk["nonce after use"]["remainingUses"], walk["nonce after use"]["currentUses"]) == (0, 1)
    assert walk["exhausted nonce"] == ["HTTPError", 400, "error"]
    assert [each.has_token for each in by_nonce] == [False, False]
    assert walk["deleted nonce"] is None
    assert walk["deleted nonce again"][:1] == ["HTTPError"]


@pytest.mark.walks("agavepy", "tapispy", steps=["aliases"])
def test_an_alias_stands_for_the_actor_until_it_is_deleted(walk: Walk) -> None:
    """spec: clients #40"""
    actor = walk["actor"]["id"]

    assert walk["aliases"] == ["walker"]
    assert walk["by alias"] == [actor, actor, "Contents of MSG: by alias"]
    assert walk["deleted alias"] is None
    assert walk["deleted alias again"] == ["HTTPError", 404, "error"]


def test_an_admin_adds_workers_and_the_client_hands_back_the_envelope(walk: Walk) -> None:
    """spec: clients #41"""
    assert walk["added workers"]["result"] is None
    assert walk["added workers"]["status"] == "success"
    assert walk["refused workers"] == ["HTTPError", 400, "error"]
    assert {"id", "status", "image"} <= set(walk["worker"])
    assert walk["worker again"] is True


def test_configs_are_not_in_the_client(walk: Walk) -> None:
    """What the table in docs/clients.md calls impossible is so."""
    assert "sendMessage" in walk["operations"]
    assert [each for each in walk["operations"] if "onfig" in each] == []


@pytest.mark.walks("agavepy", "tapispy", steps=["update"])
def test_an_update_changes_the_description_and_keeps_the_name(walk: Walk) -> None:
    assert walk["updated"] == ["again", "walk"]


@pytest.mark.walks("agavepy", "tapispy", steps=["expired token", "refresh"])
def test_an_expired_token_heals_itself_with_one_refresh(walk: Walk) -> None:
    """spec: clients #15"""
    grants = Counter(each.grant for each in walk.asked if each.path == "/token")

    assert (walk["healed"], walk["new token"]) == (walk["actor"]["id"], True)
    assert grants["refresh_token"] == 2  # the one that was needed, and the one that was asked for
    assert walk["refreshed"] == "jdoe"


@pytest.mark.walks("agavepy", "tapispy", steps=["delete"])
def test_a_deletion_answers_none_and_the_actor_is_gone(walk: Walk) -> None:
    """spec: clients #26"""
    assert walk["deleted"] == [None] * 5
    assert walk["list after"] == [walk["left"]]


def test_another_client_sees_the_actor_that_was_left(walk: Walk, emulator: Emulator) -> None:
    """spec: clients #61"""
    headers = {"Authorization": f"Bearer {emulator.token_for('jdoe')}"}

    answer = requests.get(f"{emulator.url}/actors/v2/{walk['left']}", headers=headers, timeout=10)

    assert answer.json()["result"]["id"] == walk["left"]
