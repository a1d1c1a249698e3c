"""Who asks: signed assertions, nobody at all, and several tenants."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from abacito.abaco.caller import ADMIN, EVERYONE
from abacito.abaco.errors import Misconfigured
from abacito.emulator import Emulator
from abacito.settings import Settings

NO_CREDENTIALS = "No JWT or nonce provided."
HEADER = "X-Jwt-Assertion-DEV-DEVELOP"


def _emulator(case: str, **settings: Any) -> Emulator:
    return Emulator(Settings.read(port=0, runner="process", case=case, **settings))


@pytest.fixture(scope="module", params=["camel", "snake"])
def _with_assertions(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with _emulator(request.param, auth="jwt") as emulator:
        yield emulator


@pytest.fixture
def jwt(_with_assertions: Emulator) -> Iterator[Emulator]:
    """An empty emulator that takes assertions."""
    _with_assertions.reset()
    yield _with_assertions
    _with_assertions.check()


@pytest.fixture(scope="module", params=["camel", "snake"])
def _with_nobody(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with _emulator(request.param, auth="none", tenant="dev_staging") as emulator:
        yield emulator


@pytest.fixture
def nobody(_with_nobody: Emulator) -> Iterator[Emulator]:
    """An empty emulator that asks nobody who he is."""
    _with_nobody.reset()
    yield _with_nobody
    _with_nobody.check()


def ask(emulator: Emulator, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
    """Status and message, or result when it is a success."""
    response = requests.request(method, emulator.url + path, headers=headers or {}, timeout=20, **more)
    body = response.json()
    return body["result"] if response.ok else (response.status_code, body["message"])


def signed(emulator: Emulator, user: str = "jdoe", roles: Any = (EVERYONE,), **claims: Any) -> dict[str, str]:
    return {HEADER: emulator.signer.sign(user, roles, **claims)}


def test_without_credentials_abaco_itself_refuses_with_400(jwt: Emulator) -> None:
    """spec: http-api #14; spec: http-api-more #108"""
    assert ask(jwt, "GET", "/actors") == (400, NO_CREDENTIALS)
    assert ask(jwt, "GET", "/actors", {"Authorization": f"Bearer {jwt.token}"}) == (400, NO_CREDENTIALS)


def test_paths_and_methods_are_refused_before_credentials_are_looked_at(jwt: Emulator) -> None:
    assert ask(jwt, "PUT", "/actors")[0] == 405
    assert ask(jwt, "GET", "/actors/a/b/c")[0] == 404


@pytest.mark.parametrize("spoil", [lambda t: t[:-8] + "AAAAAAAA", lambda t: "junk", lambda t: t.replace(".", "")])
def test_an_assertion_that_does_not_count_is_as_good_as_none(jwt: Emulator, spoil: Any) -> None:
    """spec: http-api #15"""
    headers = {HEADER: spoil(signed(jwt)[HEADER])}

    assert ask(jwt, "GET", "/actors", headers) == (400, NO_CREDENTIALS)


def test_a_good_nonce_counts_beside_a_broken_assertion(jwt: Emulator) -> None:
    """spec: http-api #16"""
    mine = signed(jwt)
    actor = ask(jwt, "POST", "/actors", mine, json={"image": "x"})["id"]
    nonce = ask(jwt, "POST", f"/actors/{actor}/nonces", mine)["id"]

    assert ask(jwt, "GET", f"/actors/{actor}?x-nonce={nonce}", {HEADER: "broken"})["id"] == actor


def test_a_nonce_beside_a_good_assertion_is_not_looked_at(jwt: Emulator) -> None:
    """spec: http-api #17"""
    mine = signed(jwt)
    actor = ask(jwt, "POST", "/actors", mine, json={"image": "x"})["id"]
    nonce = ask(jwt, "POST", f"/actors/{actor}/nonces", mine)["id"]

    assert ask(jwt, "GET", f"/actors/{actor}?x-nonce=junk", mine)["id"] == actor
    assert ask(jwt, "GET", f"/actors/{actor}?x-nonce={nonce}", mine)["id"] == actor
    used = ask(jwt, "GET", f"/actors/{actor}/nonces/{nonce}", mine)
    assert (used.get("current_uses"), used.get("currentUses")).count(0) == 1


def test_a_nonce_in_a_header_is_none(jwt: Emulator) -> None:
    """spec: http-api #113"""
    mine = signed(jwt)
    actor = ask(jwt, "POST", "/actors", mine, json={"image": "x"})["id"]
    nonce = ask(jwt, "POST", f"/actors/{actor}/nonces", mine)["id"]

    assert ask(jwt, "GET", f"/actors/{actor}", {"x-nonce": nonce}) == (400, NO_CREDENTIALS)


def test_nonces_can_be_turned_off() -> None:
    with _emulator("snake", auth="jwt", accept_nonce=False) as emulator:
        mine = signed(emulator)
        actor = ask(emulator, "POST", "/actors", mine, json={"image": "x"})["id"]
        nonce = ask(emulator, "POST", f"/actors/{actor}/nonces", mine)["id"]

        assert ask(emulator, "GET", f"/actors/{actor}?x-nonce={nonce}") == (400, NO_CREDENTIALS)


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        (None, True),
        ((EVERYONE,), True),
        ((ADMIN,), True),
        (("Internal/abaco-limited",), True),
        ((), False),
        (("Internal/foreign",), False),
        (("x", f" {EVERYONE}"), False),
    ],
)
def test_a_role_must_be_known_and_without_the_claim_everybody_is_everyone(
    jwt: Emulator, roles: Any, allowed: bool
) -> None:
    """spec: http-api #18; spec: http-api-more #108"""
    answer = ask(jwt, "GET", "/actors", signed(jwt, roles=roles))

    assert answer == ([] if allowed else (400, "Not authorized -- missing required role."))


def test_an_unknown_actor_is_told_before_a_missing_role(jwt: Emulator) -> None:
    assert ask(jwt, "GET", "/actors/nope", signed(jwt, roles=())) == (404, "Actor with identifier 'nope' not found")


@pytest.mark.parametrize(
    "name", ["X-Jwt-Assertion-dev-develop", "x-jwt-assertion-Dev-Develop", "X-JWT-ASSERTION-DEV-DEVELOP"]
)
def test_the_tenant_is_the_headers_tail_in_upper_case(jwt: Emulator, name: str) -> None:
    """spec: http-api #19; spec: http-api-more #107"""
    actor = ask(jwt, "POST", "/actors", {name: signed(jwt)[HEADER]}, json={"image": "x"})["id"]

    assert ask(jwt, "GET", f"/actors/{actor}", signed(jwt))["id"] == actor
    other = {"X-Jwt-Assertion-DEV-STAGING": signed(jwt)[HEADER]}
    assert ask(jwt, "GET", f"/actors/{actor}", other) == (400, f"Actor DEV-STAGING_{actor} does not exist")


def test_the_same_user_in_another_tenant_is_another(jwt: Emulator) -> None:
    """spec: http-api #48; spec: http-api-more #107"""
    ask(jwt, "POST", "/actors", signed(jwt), json={"image": "x"})
    other = {"X-Jwt-Assertion-DEV-STAGING": signed(jwt)[HEADER]}

    assert ask(jwt, "GET", "/actors", other) == []
    assert len(ask(jwt, "GET", "/actors", signed(jwt))) == 1


def test_admin_is_admin_of_the_tenant_that_the_header_names(jwt: Emulator) -> None:
    actor = ask(jwt, "POST", "/actors", {"X-Jwt-Assertion-A": signed(jwt)[HEADER]}, json={"image": "x"})["id"]
    admin = signed(jwt, "boss", (ADMIN,))[HEADER]

    assert ask(jwt, "GET", f"/actors/{actor}", {"X-Jwt-Assertion-A": admin})["id"] == actor
    assert ask(jwt, "GET", f"/actors/{actor}", {"X-Jwt-Assertion-B": admin})[0] == 404


def test_assertions_in_the_form_of_the_originals_are_accepted(jwt: Emulator) -> None:
    """spec: http-api-more #109

    Padded standard base64, the line end that a shell escaped behind it, and an expiry in milliseconds.
    """
    head, claims, signature = signed(jwt, exp=1_779_000_000_000)[HEADER].split(".")
    plain = base64.b64encode(base64.urlsafe_b64decode(signature + "==")).decode()

    assert ask(jwt, "GET", "/actors", {HEADER: f"{head}.{claims}.{plain}[\\r][\\n]"}) == []


def test_an_expired_assertion_is_as_good_as_none(jwt: Emulator) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    headers = signed(jwt, expires=soon)
    assert ask(jwt, "GET", "/actors", headers) == []

    jwt.clock_of("DEV-DEVELOP").travel(timedelta(minutes=6))

    assert ask(jwt, "GET", "/actors", headers) == (400, NO_CREDENTIALS)


def test_a_container_is_told_the_header_and_with_a_nonce_it_is_not(jwt: Emulator) -> None:
    seen: list[str | None] = []
    done = threading.Semaphore(0)

    def look(context: Any) -> None:
        seen.append(context.environment.get("_abaco_jwt_header_name"))
        done.release()

    mine = signed(jwt)
    actor = ask(jwt, "POST", "/actors", mine, json={"image": jwt.stub(look), "stateless": False})["id"]
    nonce = ask(jwt, "POST", f"/actors/{actor}/nonces", mine)["id"]
    ask(jwt, "POST", f"/actors/{actor}/messages", mine, data={"message": "x"})
    assert done.acquire(timeout=20)
    ask(jwt, "POST", f"/actors/{actor}/messages?x-nonce={nonce}", data={"message": "x"})
    assert done.acquire(timeout=20)

    assert seen == ["X-Jwt-Assertion-Dev-Develop", None]


def test_our_own_client_signs_assertions(jwt: Emulator) -> None:
    actor = jwt.client().register(lambda context: print("hello"))

    assert actor.send("x").wait().logs == "hello\n"


def test_everybody_is_anonymous_and_the_header_names_the_tenant(nobody: Emulator) -> None:
    """spec: http-api #20; spec: http-api-more #110"""
    actor = ask(nobody, "POST", "/actors", {"tenant": "foo"}, json={"image": "x"})

    assert actor["owner"] == "anonymous"
    assert [each["id"] for each in ask(nobody, "GET", "/actors", {"tenant": "foo"})] == [actor["id"]]
    assert ask(nobody, "GET", "/actors", {"tenant": "Foo"}) == []
    assert ask(nobody, "GET", "/actors") == []
    assert ask(nobody, "GET", "/actors/admin")[0]["tenant"] == "foo"


def test_anonymous_is_admin_and_nonces_are_never_looked_at(nobody: Emulator) -> None:
    actor = ask(nobody, "POST", "/actors?x-nonce=bogus", json={"image": "x", "privileged": True})

    assert actor["privileged"] is True
    assert ask(nobody, "GET", f"/actors/{actor['id']}?x-nonce=bogus")["id"] == actor["id"]
    assert ask(nobody, "GET", "/actors/nope") == (404, "Actor with identifier 'nope' not found")


def test_our_own_client_needs_no_name(nobody: Emulator) -> None:
    assert nobody.client().register(lambda context: print("hello")).send("x").wait().logs == "hello\n"


@pytest.fixture(scope="module")
def tenants() -> Iterator[Emulator]:
    """An emulator with several tenants, each with its own settings."""
    own = {
        "DEV": {"log_ex": 15_000, "log_ex_limit": 30_000},
        "SD2E": {
            "log_ex": 10_800,
            "log_ex_limit": 21_600,
            "default_token": False,
            "api_server": "https://api.sd2e.org",
        },
        "LECTURE": {"stateless_default": False, "max_content_length": 1000},
        "DEV-DEVELOP": {"global_mounts": "/data1:/_abaco_data1:ro", "queues": ["default", "fast"]},
    }
    with _emulator("snake", auth="jwt", tenants=own) as emulator:
        yield emulator


def test_each_tenant_has_its_own_settings(tenants: Emulator) -> None:
    text = signed(tenants)[HEADER]

    sd2e = ask(tenants, "POST", "/actors", {"X-Jwt-Assertion-SD2E": text}, json={"image": "x"})
    other = ask(tenants, "POST", "/actors", {"X-Jwt-Assertion-OTHER": text}, json={"image": "x"})

    assert (sd2e["token"], other["token"]) == ("false", "true")
    assert sd2e["_links"]["owner"] == "https://api.sd2e.org/profiles/v2/jdoe"
    assert other["_links"]["owner"] == f"{tenants.url}/profiles/v2/jdoe"


def test_a_tenants_mounts_are_shown(tenants: Emulator) -> None:
    """spec: http-api-more #116"""
    actor = ask(tenants, "POST", "/actors", signed(tenants), json={"image": "x"})

    assert actor["mounts"] == [{"host_path": "/data1", "container_path": "/_abaco_data1", "mode": "ro"}]


def test_a_queue_must_be_one_of_the_tenants(tenants: Emulator) -> None:
    """spec: http-api-more #117"""
    admin = signed(tenants, "boss", (ADMIN,))

    assert ask(tenants, "POST", "/actors", admin, json={"image": "x", "queue": "fast"})["queue"] == "fast"
    refused = ask(tenants, "POST", "/actors", admin, json={"image": "x", "queue": "special"})
    assert refused == (
        400,
        "Invalid actor description: Unable to process the JSON description.: 400 Bad Request: Invalid queue name.",
    )


def test_a_stateful_actor_with_workers_is_refused_in_every_tenant(tenants: Emulator) -> None:
    """spec: http-api-more #118"""
    admin = signed(tenants, "boss", (ADMIN,))[HEADER]

    for tenant in ("SD2E", "DEV-DEVELOP", "NEW"):
        headers = {f"X-Jwt-Assertion-{tenant}": admin}
        refused = ask(tenants, "POST", "/actors", headers, json={"image": "x", "stateless": False, "max_workers": 2})
        assert refused == (400, "Invalid actor description: stateful actors can only have 1 worker.")


@pytest.mark.parametrize(
    ("tenant", "log_ex", "life_s"),
    [
        ("DEV", None, 15_000),
        ("DEV", 40_000, 30_000),
        ("SD2E", None, 10_800),
        ("SD2E", 99_999, 21_600),
        ("NEW", None, 86_400),
    ],
)
def test_a_log_lives_as_long_as_its_tenant_says(
    tenants: Emulator, tenant: str, log_ex: int | None, life_s: int
) -> None:
    """spec: http-api #100; spec: http-api-more #106"""
    headers = {f"X-Jwt-Assertion-{tenant}": signed(tenants)[HEADER]}
    fields = {"image": tenants.stub(lambda context: print("said")), **({"log_ex": log_ex} if log_ex else {})}
    actor = ask(tenants, "POST", "/actors", headers, json=fields)
    path = f"/actors/{actor['id']}"
    requests.post(
        f"{tenants.url}{path}/messages?_abaco_synchronous=true", headers=headers, data={"message": "x"}, timeout=20
    )
    execution = ask(tenants, "GET", f"{path}/executions", headers)["executions"][0]["id"]
    log = f"{path}/executions/{execution}/logs"

    clock = tenants.clock_of(tenant)
    clock.travel(timedelta(seconds=life_s - 5))
    before = ask(tenants, "GET", log, headers)["logs"]
    clock.travel(timedelta(seconds=10))
    after = ask(tenants, "GET", log, headers)["logs"]

    assert (actor["log_ex"], before, after) == (log_ex, "said\n", "")


def test_the_lectures_default_is_a_setting(tenants: Emulator) -> None:
    text = signed(tenants)[HEADER]

    lecture = ask(tenants, "POST", "/actors", {"X-Jwt-Assertion-LECTURE": text}, json={"image": "x"})
    other = ask(tenants, "POST", "/actors", {"X-Jwt-Assertion-OTHER": text}, json={"image": "x"})

    assert (lecture["stateless"], other["stateless"]) == (False, True)


@pytest.mark.parametrize(
    "content",
    [{"json": {"message": "x" * 2000}}, {"data": {"message": "x" * 2000}}, {"data": iter([b"[" * 600, b"]" * 600])}],
    ids=["json", "form", "chunked"],
)
def test_a_body_over_the_limit_is_refused_whatever_its_kind(tenants: Emulator, content: dict[str, Any]) -> None:
    headers = {"X-Jwt-Assertion-LECTURE": signed(tenants)[HEADER]}
    actor = ask(tenants, "POST", "/actors", headers, json={"image": "x"})["id"]

    refused = ask(tenants, "POST", f"/actors/{actor}/messages", headers, **content)

    assert refused == (400, "Message exceeds max content length of: 1000")
    assert ask(tenants, "GET", f"/actors/{actor}/executions", headers)["executions"] == []


def test_nobody_is_served_to_a_network_unless_that_is_meant() -> None:
    settings = {"port": 0, "runner": "process", "auth": "none", "host": "0.0.0.0"}

    with pytest.raises(Misconfigured, match="allow_open"), Emulator(Settings.read(**settings)):
        pass
