"""What stands before Abaco in production: clients, tokens, profiles, tenants."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import jwt
import pytest
import requests

from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.api.conftest import Api

BASIC = ("jdoe", "p")


def make_client(api: Api, name: str = "mine", auth: tuple[str, str] = BASIC) -> tuple[str, str]:
    """Key and secret of a new client."""
    response = requests.post(f"{api.emulator.url}/clients/v2", auth=auth, data={"clientName": name}, timeout=10)
    result = response.json()["result"]
    return result["consumerKey"], result["consumerSecret"]


def ask_token(api: Api, client: tuple[str, str], **form: str) -> requests.Response:
    return requests.post(f"{api.emulator.url}/token", auth=client, data=form, timeout=10)


def password_grant(api: Api, client: tuple[str, str], user: str = "jdoe") -> dict[str, Any]:
    response = ask_token(api, client, grant_type="password", username=user, password="p", scope="PRODUCTION")
    assert response.status_code == 200, response.text
    return dict(response.json())


def me(api: Api, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{api.emulator.url}/profiles/v2/me", headers=headers, timeout=10)


def status_of(api: Api, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{api.emulator.url}/actors", headers=headers, timeout=10).status_code


@pytest.mark.parametrize("path", ["/clients/v2", "/clients/v2/"])
@pytest.mark.parametrize("how", ["data", "json"])
def test_a_client_is_made_by_form_or_json_without_a_redirect(api: Api, path: str, how: str) -> None:
    """spec: clients #7"""
    body: dict[str, Any] = {how: {"clientName": "mine", "description": "d"}}

    response = requests.post(api.emulator.url + path, auth=BASIC, allow_redirects=False, timeout=10, **body)

    assert response.status_code == 200
    result = response.json()["result"]
    assert set(result) >= {"name", "consumerKey", "consumerSecret", "description", "tier", "callbackUrl", "_links"}
    listed = requests.get(f"{api.emulator.url}/clients/v2/", auth=BASIC, timeout=10).json()["result"]
    assert [(each["name"], each["description"]) for each in listed] == [("mine", "d")]
    assert "consumerSecret" not in listed[0]


def test_wrong_passwords_and_unknown_clients(api: Api) -> None:
    """spec: clients #8"""
    url = f"{api.emulator.url}/clients/v2"

    for auth in (("jdoe", "wrong"), ("nobody-knows", "p"), None):
        refused = requests.post(url, auth=auth, data={"clientName": "x"}, timeout=10)
        assert (refused.status_code, refused.json()["status"]) == (401, "error")
    make_client(api)
    assert requests.delete(f"{url}/unknown", auth=BASIC, timeout=10).status_code == 404
    assert requests.delete(f"{url}/mine", auth=BASIC, timeout=10).status_code == 200
    assert requests.delete(f"{url}/mine", auth=BASIC, timeout=10).status_code == 404


def test_a_name_is_had_once_by_each_user(api: Api) -> None:
    make_client(api)
    again = requests.post(f"{api.emulator.url}/clients/v2", auth=BASIC, data={"clientName": "mine"}, timeout=10)

    assert again.status_code == 400
    make_client(api, auth=("jane", "p"))


def test_the_password_grant_answers_bare_json(api: Api) -> None:
    """spec: clients #9"""
    pair = password_grant(api, make_client(api))

    assert set(pair) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert (pair["expires_in"], pair["token_type"], pair["scope"]) == (14400, "bearer", "default")
    assert me(api, pair["access_token"]).json()["result"]["username"] == "jdoe"
    assert status_of(api, pair["access_token"]) == 200


@pytest.mark.parametrize(
    ("client", "form", "status", "error"),
    [
        ("good", {"grant_type": "password", "username": "jdoe", "password": "wrong"}, 400, "invalid_grant"),
        ("good", {"grant_type": "password", "username": "x", "password": "p"}, 400, "invalid_grant"),
        ("good", {"grant_type": "password", "username": "jdoe"}, 400, "invalid_request"),
        ("good", {"grant_type": "refresh_token", "refresh_token": "made-up"}, 400, "invalid_grant"),
        ("good", {"grant_type": "authorization_code", "code": "x"}, 400, "unsupported_grant_type"),
        ("good", {}, 400, "invalid_request"),
        ("bad", {"grant_type": "password", "username": "jdoe", "password": "p"}, 401, "invalid_client"),
        ("none", {"grant_type": "password", "username": "jdoe", "password": "p"}, 401, "invalid_client"),
    ],
)
def test_what_is_no_grant_is_refused_in_oauths_words(
    api: Api, client: str, form: dict[str, str], status: int, error: str
) -> None:
    """spec: clients #10"""
    key, secret = make_client(api)
    auth: Any = {"good": (key, secret), "bad": (key, "wrong"), "none": None}[client]

    refused = requests.post(f"{api.emulator.url}/token", auth=auth, data=form, timeout=10)

    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.json()["error_description"]


def test_a_refresh_answers_a_new_pair_and_the_old_one_is_void(api: Api) -> None:
    """spec: clients #11"""
    client = make_client(api)
    old = password_grant(api, client)

    new = ask_token(api, client, grant_type="refresh_token", refresh_token=old["refresh_token"]).json()

    assert status_of(api, new["access_token"]) == 200
    assert status_of(api, old["access_token"]) == 401
    replayed = ask_token(api, client, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    assert status_of(api, new["refresh_token"]) == 401  # it renews, and opens nothing


def test_a_refresh_token_is_its_clients_alone(api: Api) -> None:
    pair = password_grant(api, make_client(api))
    other = make_client(api, "other")

    assert ask_token(api, other, grant_type="refresh_token", refresh_token=pair["refresh_token"]).status_code == 400
    assert status_of(api, pair["access_token"]) == 200


def test_of_two_refreshes_at_once_one_gets_a_pair(api: Api) -> None:
    client = make_client(api)
    for _ in range(5):
        refresh = password_grant(api, client)["refresh_token"]

        def renew(refresh: str = refresh) -> int:
            return ask_token(api, client, grant_type="refresh_token", refresh_token=refresh).status_code

        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(renew) for _ in range(2)]

        assert sorted(each.result() for each in both) == [200, 400]


def test_an_admin_gets_tokens_of_others_and_nobody_else_does(api: Api) -> None:
    """spec: clients #12"""
    grant = {"grant_type": "admin_password", "password": "p", "token_username": "jane"}

    got = ask_token(api, make_client(api, auth=("admin", "p")), username="admin", **grant)
    refused = ask_token(api, make_client(api), username="jdoe", **grant)

    assert me(api, got.json()["access_token"]).json()["result"]["username"] == "jane"
    assert refused.status_code == 400


def test_unknown_expired_and_revoked_tokens_have_the_gateways_fault(api: Api) -> None:
    """spec: clients #13, #20"""
    client = make_client(api)
    revoked, expired = (password_grant(api, client)["access_token"] for _ in range(2))
    requests.post(f"{api.emulator.url}/revoke", auth=client, data={"token": revoked}, timeout=10)
    assert status_of(api, expired) == 200
    api.travel(timedelta(hours=4, minutes=1))

    for token in ("made-up", expired, revoked, expired[:-1], expired[:40]):
        response = requests.get(f"{api.emulator.url}/actors", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert response.status_code == 401
        assert response.headers["Content-Type"] == "application/json"
        fault = response.json()["fault"]
        assert (fault["code"], fault["message"]) == (900901, "Invalid Credentials")
        assert me(api, token).status_code == 401


def test_a_refresh_outlives_its_token_by_hours_not_for_ever(api: Api) -> None:
    client = make_client(api)
    refresh = password_grant(api, client)["refresh_token"]
    api.travel(timedelta(hours=5))
    second = ask_token(api, client, grant_type="refresh_token", refresh_token=refresh).json()
    assert status_of(api, second["access_token"]) == 200

    api.travel(timedelta(hours=25))

    refused = ask_token(api, client, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"


def test_tenants_are_told_to_anybody_at_the_address_that_was_asked(api: Api) -> None:
    """spec: clients #18"""
    for path in ("/tenants", "/tenants/"):
        response = requests.get(api.emulator.url + path, timeout=10)
        tenant = response.json()["result"][0]
        assert (tenant["code"], tenant["name"], tenant["baseUrl"]) == ("tacc.prod", "TACC-PROD", api.emulator.url)
    named = requests.get(f"{api.emulator.url}/tenants", headers={"Host": "other.example:77"}, timeout=10)
    assert named.json()["result"][0]["baseUrl"] == "http://other.example:77"


def test_profiles_name_the_tokens_user(api: Api) -> None:
    """spec: clients #19"""
    for user in ("jdoe", "jane"):
        profile = me(api, api.emulator.token_for(user)).json()["result"]
        assert profile["username"] == user
        fields = {"email", "first_name", "last_name", "full_name", "phone", "mobile_phone", "status", "create_time"}
        assert set(profile) >= fields
    headers = {"Authorization": f"Bearer {api.emulator.token_for('jdoe')}"}
    listed = requests.get(f"{api.emulator.url}/profiles/v2?username=jane", headers=headers, timeout=10)
    assert [each["username"] for each in listed.json()["result"]] == ["jane"]
    assert requests.get(f"{api.emulator.url}/profiles/v2/jane", headers=headers, timeout=10).status_code == 200
    assert requests.get(f"{api.emulator.url}/profiles/v2/x", headers=headers, timeout=10).status_code == 404
    assert requests.get(f"{api.emulator.url}/profiles/v2/me", timeout=10).json()["fault"]["code"] == 900902


def test_a_tokens_life_is_a_setting() -> None:
    """spec: clients #20"""
    with Emulator(Settings.read(port=0, runner="process", token_life=60)) as emulator:
        token = emulator.token_for("jdoe")
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{emulator.url}/actors", headers=headers, timeout=10).status_code == 200

        emulator.clock.travel(timedelta(seconds=61))

        assert requests.get(f"{emulator.url}/actors", headers=headers, timeout=10).status_code == 401


def test_older_gateways_faults_are_xml_whose_code_comes_first() -> None:
    """spec: clients #16"""
    with Emulator(Settings.read(port=0, runner="process", gateway_faults="xml")) as emulator:
        tokens = {"expired": emulator.token, "unknown": "x"}
        emulator.clock.travel(timedelta(hours=5))
        answers = {
            why: requests.get(f"{emulator.url}/actors", headers={"Authorization": f"Bearer {token}"}, timeout=10)
            for why, token in tokens.items()
        }
        answers["missing"] = requests.get(f"{emulator.url}/actors", timeout=10)

    codes = {why: next(iter(ElementTree.fromstring(answer.content))).text for why, answer in answers.items()}
    assert codes == {"expired": "900903", "unknown": "900904", "missing": "900902"}
    for answer in answers.values():
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/xml")
        assert answer.content.startswith(b"<ams:fault ")


def test_a_token_is_a_jwt_that_counts_by_being_known(api: Api) -> None:
    token = api.emulator.token_for("jdoe")
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(claims, "secret-of-somebody-else-that-is-long", algorithm="HS256")
    unsigned = jwt.encode(claims, None, algorithm="none")

    assert claims["sub"] == "jdoe@tacc.prod"
    assert claims["exp"] - claims["iat"] == 14400
    assert [status_of(api, each) for each in (token, forged, unsigned)] == [200, 401, 401]


@pytest.fixture
def v3(api: Api) -> str:
    return f"{api.emulator.url}/v3"


def test_tapis_v3_tokens_and_tenants(api: Api, v3: str) -> None:
    grant = {"username": "jdoe", "password": "p", "grant_type": "password"}
    response = requests.post(f"{v3}/oauth2/tokens", json=grant, timeout=10)
    tenant = requests.get(f"{v3}/tenants", timeout=10).json()["result"][0]
    site = requests.get(f"{v3}/sites", timeout=10).json()["result"][0]

    token = response.json()["result"]["access_token"]
    assert set(token) == {"access_token", "expires_in", "expires_at", "jti"}
    assert token["expires_in"] in (14399, 14400)
    claims = jwt.decode(token["access_token"], tenant["public_key"], algorithms=["RS256"])
    assert (claims["tapis/tenant_id"], claims["tapis/username"]) == (tenant["tenant_id"], "jdoe")
    assert (tenant["base_url"], tenant["site_id"]) == (api.emulator.url, site["site_id"])
    headers = {"X-Tapis-Token": token["access_token"]}
    assert requests.get(f"{api.emulator.url}/actors", headers=headers, timeout=10).status_code == 200


def test_tapis_v3_refuses_wrong_passwords_and_renews_for_a_client(api: Api, v3: str) -> None:
    """spec: clients #57"""
    wrong = requests.post(
        f"{v3}/oauth2/tokens", json={"username": "jdoe", "password": "x", "grant_type": "password"}, timeout=10
    )
    assert (wrong.status_code, wrong.json()["status"], wrong.json()["result"]) == (400, "error", None)
    client = make_client(api)
    grant = {"username": "jdoe", "password": "p", "grant_type": "password"}
    pair = requests.post(f"{v3}/oauth2/tokens", json=grant, auth=client, timeout=10).json()["result"]

    renewal = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]["refresh_token"]}
    renewed = requests.post(f"{v3}/oauth2/tokens", json=renewal, auth=client, timeout=10).json()["result"]

    assert status_of(api, pair["access_token"]["access_token"]) == 401
    assert status_of(api, renewed["access_token"]["access_token"]) == 200


def test_tapis_v3_clients_are_made_by_a_tokens_user_and_have_a_key_or_are_given_one(api: Api, v3: str) -> None:
    headers = {"X-Tapis-Token": api.emulator.token_for("jdoe")}

    def ask(method: str, path: str, **arguments: Any) -> requests.Response:
        return requests.request(method, v3 + path, headers=headers, timeout=10, **arguments)

    made = ask("POST", "/oauth2/clients", json={"description": "d"}).json()["result"]
    named = ask("POST", "/oauth2/clients", json={"client_id": "mine", "client_key": "secret"}).json()["result"]
    again = ask("POST", "/oauth2/clients", json={"client_id": "mine"})
    listed = ask("GET", "/oauth2/clients").json()["result"]

    assert set(made) >= {"client_id", "client_key", "callback_url", "description", "owner", "tenant_id"}
    assert (named["client_id"], named["client_key"], again.status_code) == ("mine", "secret", 400)
    assert {each["client_id"] for each in listed} == {made["client_id"], "mine"}
    assert not any("client_key" in each for each in listed)
    grant = {"username": "jdoe", "password": "p", "grant_type": "password"}
    for client in ((made["client_id"], made["client_key"]), ("mine", "secret")):
        pair = requests.post(f"{v3}/oauth2/tokens", json=grant, auth=client, timeout=10).json()["result"]
        assert set(pair) == {"access_token", "refresh_token"}
    assert ask("DELETE", "/oauth2/clients/mine").status_code == 200
    assert ask("GET", "/oauth2/clients/mine").status_code == 404
    assert requests.get(f"{v3}/oauth2/clients", timeout=10).status_code == 401


def test_a_clients_key_cannot_be_taken_over_by_another_user(api: Api, v3: str) -> None:
    jane = {"X-Tapis-Token": api.emulator.token_for("jane")}
    key, secret = make_client(api)

    taken = requests.post(
        f"{v3}/oauth2/clients", json={"client_id": key, "client_key": "mine now"}, headers=jane, timeout=10
    )

    assert taken.status_code == 400
    assert ask_token(api, (key, secret), grant_type="password", username="jdoe", password="p").status_code == 200


def test_tapis_v3_users_and_the_end_of_a_token(api: Api, v3: str) -> None:
    token = api.emulator.token_for("jdoe")
    headers = {"X-Tapis-Token": token}

    def user(path: str) -> Any:
        return requests.get(f"{v3}/oauth2{path}", headers=headers, timeout=10).json()["result"]

    assert user("/userinfo")["username"] == "jdoe"
    assert user("/profiles/jane")["username"] == "jane"
    assert "jane" in [each["username"] for each in user("/profiles")]
    assert requests.get(f"{v3}/oauth2/profiles/far", headers=headers, timeout=10).status_code == 404
    revoked = requests.post(f"{v3}/oauth2/tokens/revoke", json={"token": token}, timeout=10)
    assert (revoked.status_code, status_of(api, token)) == (200, 401)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"grant_type": 5}', b'"x"'])
def test_bad_bodies_of_the_gateway_are_400(api: Api, v3: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    assert requests.post(f"{v3}/oauth2/tokens", data=body, headers=headers, timeout=10).status_code == 400
    created = requests.post(f"{api.emulator.url}/clients/v2", data=body, headers=headers, auth=BASIC, timeout=10)
    assert created.status_code == 400


def test_neither_passwords_nor_secrets_nor_tokens_are_stored_or_logged(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    key, secret = make_client(api)
    pair = password_grant(api, (key, secret))
    status_of(api, pair["access_token"])
    ask_token(api, (key, secret), grant_type="refresh_token", refresh_token=pair["refresh_token"])

    stored = api.emulator.stored.clients.get(key)

    assert stored is not None
    assert stored.secret is None
    assert secret not in repr(stored)
    for text in (secret, pair["access_token"], pair["refresh_token"]):
        assert text not in caplog.text


def test_any_users_token_is_given_to_this_machine_only(api: Api) -> None:
    url = f"{api.emulator.url}/_abacito/tokens"

    given = requests.post(url, json={"username": "jdoe", "ttl_s": 5}, timeout=10).json()["result"]
    pair = requests.post(url, json={"username": "jdoe", "client": True}, timeout=10).json()["result"]

    assert status_of(api, given["access_token"]) == 200
    client = (pair["client_key"], pair["client_secret"])
    renewed = ask_token(api, client, grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert renewed.status_code == 200
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        refused = requests.post(url, json={}, headers=headers, timeout=10)
        assert (refused.status_code, "this machine only" in refused.json()["message"]) == (400, True)


def test_one_more_token_like_another_has_its_own_roles(api: Api) -> None:
    url = f"{api.emulator.url}/_abacito/tokens"

    def given(**body: object) -> str:
        return str(requests.post(url, json=body, timeout=10).json()["result"]["access_token"])

    def may_see_all(token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{api.emulator.url}/actors/v2/admin", headers=headers, timeout=10).status_code == 200

    first = given(username="jdoe", roles=["Internal/abaco-admin"])
    api.emulator.clock.travel(timedelta(hours=5))

    assert not may_see_all(first)
    assert may_see_all(given(like=first))
    assert not may_see_all(given(like=given(username="jdoe")))


@pytest.mark.parametrize("body", [{"username": "nobody-knows"}, {"ttl_s": 0}, {"ttl_s": "x"}, {"ttl_s": True}, ["x"]])
def test_what_is_asked_wrongly_of_the_control_is_refused(api: Api, body: Any) -> None:
    assert requests.post(f"{api.emulator.url}/_abacito/tokens", json=body, timeout=10).status_code == 400
