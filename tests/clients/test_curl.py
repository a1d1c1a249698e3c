"""curl as the public lecture uses it: on the emulator's address, and on the lecture's own through the proxy."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from abacito.abaco.time import real_monotonic
from abacito.emulator import Emulator

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")

LECTURE = ("https://api.tacc.utexas.edu", "https://api.tacc.cloud")


@dataclass(frozen=True)
class Curl:
    """A user at a shell: the address that he calls, and options that he gives each time."""

    base: str
    options: tuple[str, ...] = ()
    proxy: str | None = None
    body: bytes | None = None

    def text(self, path: str, *options: str) -> str:
        """What curl writes."""
        variables = {} if self.proxy is None else {"https_proxy": self.proxy}
        command = ["curl", "-sS", *self.options, *options, self.base + path]
        done = subprocess.run(command, env=variables, input=self.body, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def envelope(self, path: str, *options: str) -> dict[str, Any]:
        return dict(json.loads(self.text(path, *options)))

    def result(self, path: str, *options: str) -> Any:
        answer = self.envelope(path, *options)
        assert answer["status"] == "success", answer
        return answer["result"]

    def status(self, path: str, *options: str) -> int:
        return int(self.text(path, "-o", "/dev/null", "-w", "%{http_code}", *options))

    def with_token(self, token: str) -> Curl:
        return replace(self, options=(*self.options, "-H", f"Authorization: Bearer {token}"))

    def until(self, path: str, field: str, value: str) -> dict[str, Any]:
        """What is there when this field has this value: asked repeatedly, as a user does."""
        deadline = real_monotonic() + 30
        while real_monotonic() < deadline:
            found = dict(self.result(path))
            if found[field] == value:
                return found
        raise AssertionError(f"{path}: {field} was never {value}")


@pytest.fixture
def curl(emulator: Emulator) -> Curl:
    """jdoe, on the plain address."""
    return Curl(emulator.url).with_token(emulator.token_for("jdoe"))


@pytest.fixture
def actor(curl: Curl) -> Iterator[str]:
    """The path of an actor that is ready."""
    path = registered(curl)
    yield path
    curl.text(path, "-X", "DELETE")


def registered(curl: Curl, image: str = "abacosamples/test", **fields: Any) -> str:
    body = json.dumps({"image": image, **fields})
    path = "/actors/v2/" + curl.result("/actors/v2", "-H", "Content-Type: application/json", "-d", body)["id"]
    curl.until(path, "status", "READY")
    return path


def sent(curl: Curl, actor: str, *options: str, query: str = "") -> str:
    """The path of the execution that this message has, when it has ended."""
    path = f"{actor}/executions/{curl.result(f'{actor}/messages{query}', *options)['executionId']}"
    curl.until(path, "status", "COMPLETE")
    return path


def log(curl: Curl, execution: str) -> list[str]:
    return str(curl.result(f"{execution}/logs")["logs"]).splitlines()


def made_client(url: str, name: str) -> Curl:
    """curl with key and secret of a new OAuth client, as the lecture's users make one."""
    form = ("-d", f"clientName={name}&tier=Unlimited&description=&callbackUrl=")
    made = Curl(url, ("-u", "jdoe:p")).result("/clients/v2", *form)
    return Curl(url, ("-u", f"{made['consumerKey']}:{made['consumerSecret']}"))


def granted(client: Curl, **form: str) -> dict[str, Any]:
    return client.envelope("/token", "-d", "&".join(f"{name}={value}" for name, value in form.items()))


PASSWORD = {"grant_type": "password", "username": "jdoe", "password": "p", "scope": "PRODUCTION"}


@pytest.mark.walks("curl", steps=["log in"])
def test_a_client_and_a_password_make_a_token(emulator: Emulator) -> None:
    """spec: clients #7, #9, #14"""
    pair = granted(made_client(emulator.url, "login"), **PASSWORD)

    assert (pair["expires_in"], pair["token_type"]) == (14400, "bearer")
    user = Curl(emulator.url).with_token(pair["access_token"])
    assert user.result("/profiles/v2/me")["username"] == "jdoe"
    assert Curl(emulator.url).status("/actors/v2") == 401


@pytest.mark.walks("curl", steps=["register"])
def test_an_actor_is_registered_by_json_and_by_form(curl: Curl) -> None:
    by_json = curl.result(registered(curl, name="by-json", defaultEnvironment={"key1": "value1"}))
    by_form = curl.result("/actors/v2", "-d", "image=abacosamples/test&name=by-form")

    assert (by_json["name"], by_json["defaultEnvironment"]) == ("by-json", {"key1": "value1"})
    assert (by_form["name"], by_form["image"]) == ("by-form", "abacosamples/test")


@pytest.mark.walks("curl", steps=["list", "get"])
@pytest.mark.parametrize("base", ["/actors/v2", "/actors/v2/", "/actors", "//actors"])
def test_an_actor_is_listed_and_got_by_each_spelling_of_the_path(curl: Curl, actor: str, base: str) -> None:
    """spec: clients #5"""
    actor_id = actor.rpartition("/")[2]

    assert actor_id in [each["id"] for each in curl.result(base)]
    assert curl.result(f"{base.rstrip('/')}/{actor_id}")["id"] == actor_id


@pytest.mark.walks("curl", steps=["send raw", "wait", "details", "logs"])
def test_the_lectures_message_runs_and_its_log_is_read(curl: Curl, actor: str) -> None:
    execution = sent(curl, actor, "-d", "message=some test message", query="?foo=bar")

    details = curl.result(execution)
    assert (details["status"], details["exitCode"], details["id"]) == ("COMPLETE", 0, execution.rpartition("/")[2])
    assert {"runtime", "cpu", "io", "startTime", "finishTime", "workerId", "_links"} <= set(details)
    lines = {"Contents of MSG: some test message", "foo=bar", "_abaco_username=jdoe", "_abaco_Content_Type=str"}
    assert lines <= set(log(curl, execution))
    assert curl.result(f"{actor}/executions")["totalExecutions"] == 1


@pytest.mark.walks("curl", steps=["send JSON"])
def test_a_json_message_arrives_as_json(curl: Curl, actor: str) -> None:
    as_json = ("-H", "Content-Type: application/json")

    execution = sent(curl, actor, *as_json, "-d", '{"a": [1, null, true]}')
    wrapped = sent(curl, actor, *as_json, "-d", '{"message": "as text"}')

    assert {"MSG={'a': [1, None, True]}", "_abaco_Content_Type=application/json"} <= set(log(curl, execution))
    assert {"MSG=as text", "_abaco_Content_Type=str"} <= set(log(curl, wrapped))
    assert curl.status(f"{actor}/messages", *as_json, "-d", "plain") == 400


@pytest.mark.walks("curl", steps=["send binary"])
def test_a_binary_message_arrives_byte_for_byte(curl: Curl) -> None:
    reader = registered(curl, "reads_binary")
    octets = ("-H", "Content-Type: application/octet-stream", "--data-binary", "@-")

    execution = sent(replace(curl, body=bytes(range(256)) * 4), reader, *octets)

    assert log(curl, execution)[0] == "size: 1024"


@pytest.mark.walks("curl", steps=["wait"])
def test_a_synchronous_message_answers_the_log(curl: Curl, actor: str) -> None:
    """spec: clients #59"""
    path = f"{actor}/messages?_abaco_synchronous=true"

    assert curl.text(path, "-d", "message=at once").startswith("Contents of MSG: at once\n")


@pytest.mark.walks("curl", steps=["results"])
def test_each_result_comes_once_and_then_nothing(curl: Curl) -> None:
    execution = sent(curl, registered(curl, "sends_results"), "-d", "message=2")

    assert [curl.text(f"{execution}/results") for _ in range(3)] == ["result 0", "result 1", ""]


@pytest.mark.walks("curl", steps=["state"])
def test_the_state_is_read_back_as_it_was_written(curl: Curl) -> None:
    stateful = registered(curl, stateless=False)

    curl.result(f"{stateful}/state", "-H", "Content-Type: application/json", "-d", '{"count": [1, 2]}')

    assert curl.result(f"{stateful}/state")["state"] == {"count": [1, 2]}


@pytest.mark.walks("curl", steps=["nonces"])
def test_a_nonce_lets_in_without_a_token_until_it_is_used_up(curl: Curl, actor: str, emulator: Emulator) -> None:
    """spec: clients #32"""
    free = curl.result(f"{actor}/nonces", "-X", "POST")
    once = curl.result(f"{actor}/nonces", "-d", "maxUses=1&level=EXECUTE")
    anyone, posted = Curl(emulator.url), f"{actor}/messages?x-nonce={once['id']}"

    assert anyone.result(posted, "-d", "message=x")["msg"] == "x"
    assert curl.result(f"{actor}/nonces/{once['id']}")["remainingUses"] == 0
    assert anyone.status(posted, "-d", "message=x") == 400
    assert [each["id"] for each in curl.result(f"{actor}/nonces")] == [free["id"], once["id"]]
    curl.result(f"{actor}/nonces/{free['id']}", "-X", "DELETE")
    assert anyone.status(f"{actor}?x-nonce={free['id']}") != 200


@pytest.mark.walks("curl", steps=["permissions"])
def test_a_permission_lets_another_user_read(curl: Curl, actor: str, emulator: Emulator) -> None:
    jane = Curl(emulator.url).with_token(emulator.token_for("jane"))
    before = jane.status(actor)

    curl.result(f"{actor}/permissions", "-d", "user=jane&level=READ")

    assert curl.result(f"{actor}/permissions") == {"jdoe": "UPDATE", "jane": "READ"}
    assert (before, jane.status(actor)) == (400, 200)
    assert jane.status(f"{actor}/messages", "-d", "message=x") == 400


@pytest.mark.walks("curl", steps=["aliases"])
def test_an_alias_stands_for_the_actor_until_it_is_deleted(curl: Curl, actor: str) -> None:
    """spec: clients #40"""
    actor_id = actor.rpartition("/")[2]

    curl.result("/actors/v2/aliases", "-d", f"alias=walker&actorId={actor_id}")

    assert curl.result("/actors/v2/walker")["id"] == actor_id
    execution = sent(curl, "/actors/v2/walker", "-d", "message=by alias")
    assert "MSG=by alias" in log(curl, execution)
    assert [each["alias"] for each in curl.result("/actors/v2/aliases")] == ["walker"]
    curl.result("/actors/v2/aliases/walker", "-X", "DELETE")
    assert curl.status("/actors/v2/walker") == 404


@pytest.mark.walks("curl", steps=["configs"])
def test_a_config_is_seen_by_the_actor(curl: Curl, actor: str) -> None:
    body = {"name": "greeting", "value": "hello", "isSecret": False, "actors": actor.rpartition("/")[2]}
    form = ("-H", "Content-Type: application/json", "-d", json.dumps(body))

    curl.result("/actors/v2/configs", *form)

    assert curl.result("/actors/v2/configs/greeting")["value"] == "hello"
    assert any("greeting" in line and "hello" in line for line in log(curl, sent(curl, actor, "-d", "message=x")))
    curl.result("/actors/v2/configs/greeting", "-X", "DELETE")
    assert curl.result("/actors/v2/configs") == []


@pytest.mark.walks("curl", steps=["update", "delete"])
def test_an_actor_is_updated_and_deleted(curl: Curl) -> None:
    actor = registered(curl, name="walk")

    updated = curl.result(actor, "-X", "PUT", "-d", "image=abacosamples/test&description=again")
    deleted = curl.result(actor, "-X", "DELETE")

    assert (updated["description"], updated["name"]) == ("again", "walk")
    assert deleted is None
    assert curl.status(actor) == 400


@pytest.mark.walks("curl", steps=["expired token", "refresh"])
def test_after_four_hours_a_refreshed_token_goes_on_where_the_old_one_is_refused(emulator: Emulator) -> None:
    """spec: clients #11, #13, #20"""
    client = made_client(emulator.url, "refreshes")
    old = granted(client, **PASSWORD)
    user = Curl(emulator.url).with_token(old["access_token"])
    actor = registered(user)

    emulator.clock.travel(timedelta(hours=4, minutes=1))
    fault = user.envelope(actor)["fault"]
    new = granted(client, grant_type="refresh_token", refresh_token=old["refresh_token"])
    renewed = Curl(emulator.url).with_token(new["access_token"])

    assert (fault["code"], fault["message"]) == (900901, "Invalid Credentials")
    assert set(new) == set(old)
    assert "MSG=goes on" in log(renewed, sent(renewed, actor, "-d", "message=goes on"))
    assert granted(client, grant_type="refresh_token", refresh_token=old["refresh_token"])["error"] == "invalid_grant"


@pytest.mark.parametrize("host", LECTURE)
def test_the_lectures_addresses_answer_through_the_proxy(curl: Curl, actor: str, host: str) -> None:
    """spec: clients #1"""
    lecture = replace(curl, base=host, proxy=curl.base, options=(*curl.options, "-k"))

    assert lecture.result("/actors/v2") == curl.result("/actors/v2")
    assert lecture.result(actor)["id"] == actor.rpartition("/")[2]
    execution = sent(lecture, actor, "-d", "message=some test message")
    assert "Contents of MSG: some test message" in log(lecture, execution)


@pytest.mark.parametrize("host", LECTURE)
def test_the_lectures_addresses_verify_with_the_emulators_certificate(
    curl: Curl, emulator: Emulator, tmp_path: Path, host: str
) -> None:
    """spec: clients #4"""
    authority = tmp_path / "ca.pem"
    authority.write_text(emulator.ca_pem)

    trusting = replace(curl, base=host, proxy=curl.base, options=(*curl.options, "--cacert", str(authority)))

    assert trusting.status("/actors/v2") == 200
    with pytest.raises(AssertionError, match="certificate"):
        replace(trusting, options=curl.options).status("/actors/v2")


def test_tenants_have_the_address_by_which_curl_came(curl: Curl) -> None:
    """spec: clients #6, #18"""
    lecture = Curl(LECTURE[0], ("-k",), proxy=curl.base)

    assert [each["baseUrl"] for each in lecture.result("/tenants")] == [LECTURE[0]]
    assert [each["baseUrl"] for each in Curl(curl.base).result("/tenants/")] == [curl.base]


def test_a_host_that_is_not_ours_is_refused(curl: Curl) -> None:
    elsewhere = replace(curl, base="https://example.org", proxy=curl.base, options=("-k", "-v"))

    with pytest.raises(AssertionError, match="502"):
        elsewhere.text("/")
