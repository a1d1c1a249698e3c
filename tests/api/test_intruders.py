"""Who is not let in: every wrong credential gets the gateway's answer, and opens nothing."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import jwt
import pytest
import requests

from abacito.api.assertion import Signer
from tests.api.conftest import Api

Spoil = Callable[[Api, str], str]


def claims(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def revoked(api: Api, token: str) -> str:
    requests.post(f"{api.emulator.url}/revoke", data={"token": token}, timeout=10)
    return token


def expired(api: Api, token: str) -> str:
    api.travel(timedelta(hours=4))
    return token


def to_the_second_before(api: Api, token: str) -> str:
    api.travel(timedelta(hours=3, minutes=59, seconds=50))
    return token


def refresh(api: Api, _: str) -> str:
    return api.emulator.login("admin")["refresh_token"]


def replayed_refresh(api: Api, _: str) -> str:
    login = api.emulator.login("admin")
    form = {"grant_type": "refresh_token", "refresh_token": login["refresh_token"]}
    client = (login["client_key"], login["client_secret"])
    answers = [requests.post(f"{api.emulator.url}/token", data=form, auth=client, timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["error"] == "invalid_grant"
    return login["token"]


WRONG: dict[str, Spoil] = {
    "unknown": lambda api, token: "f" * 32,
    "empty": lambda api, token: '""',
    "truncated": lambda api, token: token[:-1],
    "without its signature": lambda api, token: token.rpartition(".")[0] + ".",
    "unsigned": lambda api, token: jwt.encode(claims(token), None, algorithm="none"),
    "signed with another key": lambda api, token: Signer().encode(claims(token)),
    "signed with the public key": lambda api, token: jwt.encode(
        claims(token), api.emulator.signer.public_key, algorithm="HS256"
    ),
    "of a later end, with our own key": lambda api, token: api.emulator.signer.encode({**claims(token), "exp": 2**40}),
    "of another user, with our own key": lambda api, token: api.emulator.signer.encode(
        {**claims(token), "tapis/username": "jane"}
    ),
    "expired": expired,
    "revoked": revoked,
    "a refresh token": refresh,
    "renewed already": replayed_refresh,
    "its user's password": lambda api, token: "p",
    "a hash of it": lambda api, token: "0" * 64,
}


@pytest.mark.parametrize("header", ["Authorization", "X-Tapis-Token"])
@pytest.mark.parametrize("what", list(WRONG))
def test_a_wrong_token_is_refused_by_the_gateway(api: Api, what: str, header: str) -> None:
    """spec: clients #13"""
    token = WRONG[what](api, api.emulator.token)
    text = f"Bearer {token}" if header == "Authorization" else token

    answers = [
        requests.get(api.emulator.url + path, headers={header: text}, timeout=10)
        for path in ("/actors", "/actors/v2/admin", "/profiles/v2/me", "/_abacito/wait?actor=a&execution=b")
    ]

    assert {answer.status_code for answer in answers} == {401}
    if header == "Authorization":
        assert {answer.json()["fault"]["code"] for answer in answers} == {900901}


def test_a_good_token_is_let_in_until_its_last_seconds(api: Api) -> None:
    token = to_the_second_before(api, api.emulator.token)

    answer = requests.get(f"{api.emulator.url}/actors", headers={"Authorization": f"Bearer {token}"}, timeout=10)

    assert answer.status_code == 200


def status(api: Api, path: str, *headers: tuple[str, str]) -> int:
    """With headers that may come twice, as no decent client sends them."""
    place = urlsplit(api.emulator.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)
    connection.putrequest("GET", path)
    for name, text in headers:
        connection.putheader(name, text)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_two_authorizations_are_none(api: Api) -> None:
    good, other = (f"Bearer {api.emulator.token_for(name)}" for name in ("admin", "jdoe"))

    for first, second in ((good, other), (other, good), (good, "Bearer x"), ("Bearer x", good), (good, good)):
        assert status(api, "/actors/admin", ("Authorization", first), ("Authorization", second)) == 401


def test_the_first_of_two_schemes_decides_and_a_wrong_one_is_not_made_good_by_the_other(api: Api) -> None:
    admin, jdoe = (api.emulator.token_for(name) for name in ("admin", "jdoe"))

    def asked(bearer: str, tapis: str) -> int:
        return status(api, "/actors/admin", ("Authorization", f"Bearer {bearer}"), ("X-Tapis-Token", tapis))

    assert [asked(jdoe, admin), asked("x", admin), asked(admin, "x")] == [400, 401, 200]


@pytest.mark.parametrize("name", ["X_Tapis_Token", "AUTHORIZATION_", "X-Forwarded-User", "X-Jwt-Assertion-TACC-PROD"])
def test_no_other_header_names_a_user(api: Api, name: str) -> None:
    token = api.emulator.token
    assertion = api.emulator.signer.sign("admin", ["Internal/abaco-admin"])

    for text in (token, f"Bearer {token}", "admin", assertion):
        assert status(api, "/actors", (name, text)) == 401


def test_a_token_in_the_query_or_a_cookie_names_nobody(api: Api) -> None:
    token = api.emulator.token

    assert status(api, f"/actors?access_token={token}&token={token}") == 401
    assert status(api, "/actors", ("Cookie", f"access_token={token}; Authorization=Bearer {token}")) == 401
    assert status(api, "/actors", ("Authorization", f"Basic {token}")) == 401


def test_a_nonce_beside_a_token_is_neither_looked_at_nor_spent(api: Api) -> None:
    actor = api.actor()
    nonce = api.result("POST", f"/actors/{actor}/nonces", json={api.name("max_uses"): 1})["id"]
    stranger = f"Bearer {api.emulator.token_for('jane')}"
    path = f"/actors/{actor}?x-nonce={nonce}"

    assert status(api, path, ("Authorization", stranger)) == 400
    assert status(api, path, ("Authorization", "Bearer x")) == 401
    left = api.result("GET", f"/actors/{actor}/nonces/{nonce}")[api.name("remaining_uses")]
    assert (left, status(api, path), status(api, path)) == (1, 200, 400)


def test_a_nonce_opens_no_other_actor(api: Api) -> None:
    actor, other = api.actor(), api.actor()
    nonce = api.result("POST", f"/actors/{actor}/nonces", json={"level": "UPDATE"})["id"]

    paths = [f"/actors/{other}", f"/actors/{other}/executions", "/actors", "/actors/admin", "/actors/aliases"]

    assert {status(api, f"{path}?x-nonce={nonce}") for path in paths} <= {400, 404}
    assert status(api, f"/actors/{actor}?x-nonce={nonce}") == 200


def test_another_tenants_admin_finds_nothing_here(api: Api) -> None:
    actor = api.actor()

    assert api.send("GET", f"/actors/{actor}", user="far").status_code == 404
    assert api.result("GET", "/actors", user="far") == []
