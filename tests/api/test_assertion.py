"""Signed assertions on their own, without a server."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from abacito.abaco.caller import Caller
from abacito.abaco.errors import Misconfigured
from abacito.api.assertion import HEADER_PREFIX, Signer, Verifier, header_name

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENDUSER = "http://wso2.org/claims/enduser"
ROLE = "http://wso2.org/claims/role"
CLAIMS = {ENDUSER: "jdoe@carbon.super", ROLE: "Internal/everyone"}
JDOE = Caller("jdoe", "DEV-DEVELOP", frozenset({"Internal/everyone"}))
FOREVER = {"exp": 1_504_888_361_000}  # 2017 in milliseconds, as the original's five have it

Encoder = Callable[[bytes], str]


def standard(data: bytes) -> str:
    return base64.b64encode(data).decode()


def url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


#: The least that can be made, and quick.
SHORT = 1024


@functools.cache
def a_key(bits: int) -> rsa.RSAPrivateKey:
    """One of each size is enough."""
    return rsa.generate_private_key(65537, bits)


def public_text(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return standard(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@functools.cache
def a_verifier(bits: int) -> Verifier:
    return Verifier(public_text(a_key(bits)))


def an_assertion(
    claims: Any = None, alg: Any = "RS256", *, encode: Encoder = url_safe, key: rsa.RSAPrivateKey | None = None
) -> str:
    """An assertion made by hand, so that it can be wrong in one thing only; ``claims`` may be bytes."""
    payload = claims if isinstance(claims, bytes) else json.dumps(CLAIMS if claims is None else claims).encode()
    signed = f"{encode(json.dumps({'typ': 'JWT', 'alg': alg}).encode())}.{encode(payload)}"
    return f"{signed}.{encode((key or a_key(SHORT)).sign(signed.encode(), PKCS1v15(), SHA256()))}"


def caller(text: str, name: str = "X-Jwt-Assertion-DEV-DEVELOP", verifier: Verifier | None = None) -> Caller | None:
    return (verifier or a_verifier(SHORT)).caller([("Host", "localhost"), (name, text)], NOW)


@pytest.mark.parametrize(
    "name",
    [
        "X-Jwt-Assertion-DEV-DEVELOP",
        "X-Jwt-Assertion-Dev-Develop",
        "x-jwt-assertion-dev-develop",
        "X-JWT-ASSERTION-dEv-dEvElOp",
        "x_jwt_assertion_dev_develop",
    ],
)
def test_the_tenant_is_the_rest_of_the_headers_name_in_upper_case(name: str) -> None:
    """spec: http-api #19"""
    assert caller(an_assertion(), name) == JDOE
    assert Verifier.tenant([(name, "anything")]) == "DEV-DEVELOP"


def test_the_same_assertion_is_the_same_user_in_the_tenant_of_each_header() -> None:
    text = an_assertion()

    assert caller(text, "X-Jwt-Assertion-SD2E") == Caller("jdoe", "SD2E", JDOE.roles)
    assert caller(text, "Assertion") == Caller("jdoe", "DEV_STAGING", JDOE.roles)


def test_the_first_assertion_header_is_the_only_one_looked_at() -> None:
    good = an_assertion()
    first, second = "X-Jwt-Assertion-A", "X-Jwt-Assertion-B"

    assert a_verifier(SHORT).caller([(first, good), (second, good)], NOW) == Caller("jdoe", "A", JDOE.roles)
    assert a_verifier(SHORT).caller([(first, "garbage"), (second, good)], NOW) is None
    assert Verifier.tenant([(first, "garbage"), (second, good)]) == "A"


def test_the_old_header_stands_back_behind_a_tenants() -> None:
    headers = [("Assertion", "garbage"), ("X-Jwt-Assertion-A", an_assertion())]

    assert a_verifier(SHORT).caller(headers, NOW) == Caller("jdoe", "A", JDOE.roles)


def test_of_old_headers_the_first_is_looked_at() -> None:
    headers = [("Assertion", "garbage"), ("assertion", an_assertion())]

    assert a_verifier(SHORT).caller(headers, NOW) is None
    assert a_verifier(SHORT).caller(headers[::-1], NOW) == Caller("jdoe", "DEV_STAGING", JDOE.roles)


@pytest.mark.parametrize("name", ["X-Jwt-Assertion", "X-Jwt-Assertion-", "My-X-Jwt-Assertion-A", "My-Assertion"])
def test_other_headers_hold_no_assertion(name: str) -> None:
    assert caller(an_assertion(), name) is None
    assert Verifier.tenant([(name, "anything")]) is None


@pytest.mark.parametrize("tenant", ["DEV-DEVELOP", "SD2E", "3DEM", "DEV_STAGING"])
def test_a_header_named_for_a_tenant_is_read_as_that_tenants(tenant: str) -> None:
    assert Verifier.tenant([(header_name(tenant), "anything")]) == tenant


def test_a_header_is_named_as_the_web_server_spells_it() -> None:
    assert header_name("DEV-DEVELOP") == "X-Jwt-Assertion-Dev-Develop"
    assert header_name("SD2E") == "X-Jwt-Assertion-Sd2E"
    assert header_name("my_tenant") == "X-Jwt-Assertion-My-Tenant"


@pytest.mark.parametrize(
    ("enduser", "username"),
    [
        ("jdoe", "jdoe"),
        ("jdoe@carbon.super", "jdoe"),
        ("jdoe@example.org@carbon.super", "jdoe"),
        ("TACC/u1@carbon.super", "TACC/u1"),
    ],
)
def test_the_user_ends_at_the_first_at_and_keeps_its_store(enduser: str, username: str) -> None:
    found = caller(an_assertion({ENDUSER: enduser}))

    assert found is not None
    assert found.username == username


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        ({}, {"Internal/everyone"}),
        ({ROLE: "Internal/abaco-admin"}, {"Internal/abaco-admin"}),
        ({ROLE: "a,Internal/abaco-admin,b"}, {"a", "Internal/abaco-admin", "b"}),
        ({ROLE: "a, Internal/abaco-admin"}, {"a", " Internal/abaco-admin"}),
        ({ROLE: ""}, {""}),
        ({ROLE: None}, set()),
        ({ROLE: ["Internal/abaco-admin"]}, set()),
    ],
)
def test_roles_are_split_at_commas_and_only_a_missing_claim_is_everyone(claim: dict[str, Any], roles: set[str]) -> None:
    assert caller(an_assertion({ENDUSER: "jdoe"} | claim)) == Caller("jdoe", "DEV-DEVELOP", frozenset(roles))


@pytest.mark.parametrize("rubbish", ["", r"[\r][\n]", "\\r\\n", " "])
@pytest.mark.parametrize("bits", [1024, 1536, 2048])  # whose signatures end in one, no and two signs of padding
def test_an_assertion_in_the_form_of_the_originals_five_counts(bits: int, rubbish: str) -> None:
    """spec: http-api-more #109"""
    claims = CLAIMS | FOREVER | {"iss": "wso2.org/products/am", "name": "ÿþ~~~???"}
    text = an_assertion(claims, "SHA256withRSA", encode=standard, key=a_key(bits))
    assert set("+/=") <= set(text.rpartition(".")[0])

    assert caller(text + rubbish, verifier=a_verifier(bits)) == JDOE


def test_signatures_in_both_alphabets_count_whatever_characters_they_hold() -> None:
    signatures = ""
    for number in range(20):
        for encode in (standard, url_safe):
            text = an_assertion(CLAIMS | {"number": number}, encode=encode)
            signatures += text.rpartition(".")[2]
            assert caller(text) == JDOE
    assert set("+/=-_") <= set(signatures)


@pytest.mark.parametrize("alg", ["RS256", "rs256", "SHA256withRSA", "SHA256WITHRSA", "sha256withrsa"])
def test_the_algorithm_is_rs256_by_either_name_in_any_case(alg: str) -> None:
    assert caller(an_assertion(alg=alg)) == JDOE


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS512", "ES256", "", None, 5, ["RS256"], {}])
def test_another_algorithm_does_not_count_though_the_signature_is_good(alg: Any) -> None:
    assert caller(an_assertion(alg=alg)) is None


def test_an_unsigned_assertion_never_counts() -> None:
    for alg in ("none", "RS256"):
        signed = an_assertion(alg=alg).rpartition(".")[0]
        assert [caller(text) for text in (signed, f"{signed}.", f"{signed}.====")] == [None] * 3


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    signed = an_assertion(alg="HS256").rpartition(".")[0]
    der = a_key(SHORT).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = a_key(SHORT).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    for secret in (der, pem, base64.b64encode(der)):
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        assert caller(f"{signed}.{url_safe(signature)}") is None


def test_a_signature_of_other_content_key_or_hash_does_not_count() -> None:
    head, payload, signature = an_assertion().split(".")
    other = url_safe(json.dumps(CLAIMS | {ROLE: "Internal/abaco-admin"}).encode())
    long_hash = a_key(SHORT).sign(f"{head}.{payload}".encode(), PKCS1v15(), SHA512())

    assert caller(f"{head}.{payload}.{signature}") == JDOE
    assert caller(f"{head}.{other}.{signature}") is None
    assert caller(f"{head}.{payload}.{url_safe(long_hash)}") is None
    assert caller(an_assertion(key=a_key(2048))) is None


def test_the_signature_is_over_the_segments_as_they_were_received() -> None:
    head, payload, signature = an_assertion().split(".")
    padded = payload + "=" * (-len(payload) % 4 or 4)

    assert caller(f"{head}.{padded}.{signature}") is None


@pytest.mark.parametrize(
    "edit",
    [lambda s: "A" + s[1:] if s[0] != "A" else "B" + s[1:], lambda s: s[1:], lambda s: s + "AA", lambda s: s + ".AA"],
)
def test_a_changed_signature_does_not_count(edit: Callable[[str], str]) -> None:
    signed, _, signature = an_assertion().rpartition(".")

    assert caller(f"{signed}.{edit(signature)}") is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {ROLE: "Internal/abaco-admin"},
        {ENDUSER: None},
        {ENDUSER: 5},
        {ENDUSER: ["jdoe"]},
        {ENDUSER: ""},
        {ENDUSER: "@carbon.super"},
        [],
        "jdoe",
        None,
        b"",
        b"{",
        b"\xff",
        b"[" * 5000,
    ],
)
def test_an_assertion_that_names_no_user_does_not_count(claims: Any) -> None:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()

    assert caller(an_assertion(payload)) is None


@pytest.mark.parametrize(("seconds", "counts"), [(1, True), (0, True), (-1, False), (-(10**8), False)])
def test_an_assertion_counts_until_its_exp_by_the_clock_that_is_given(seconds: int, counts: bool) -> None:
    for exp in (int(NOW.timestamp()) + seconds, NOW.timestamp() + seconds):
        assert (caller(an_assertion(CLAIMS | {"exp": exp})) is not None) is counts


def test_an_exp_in_milliseconds_lies_far_ahead() -> None:
    assert caller(an_assertion(CLAIMS | FOREVER)) == JDOE


@pytest.mark.parametrize("exp", [None, "4000000000", [], {}, float("nan"), float("-inf"), True])
def test_an_exp_that_is_no_time_does_not_count(exp: Any) -> None:
    assert caller(an_assertion(CLAIMS | {"exp": exp})) is None


def test_other_times_are_not_looked_at() -> None:
    later = int(NOW.timestamp()) + 3600

    assert caller(an_assertion(CLAIMS | {"nbf": later, "iat": later, "aud": "someone else"})) == JDOE


def test_why_an_assertion_does_not_count_is_in_the_log_and_its_text_is_not(caplog: pytest.LogCaptureFixture) -> None:
    text = an_assertion(CLAIMS | {"exp": 1})

    caller(text)

    assert "an assertion for tenant 'DEV-DEVELOP' does not count: it has expired" in caplog.text
    assert not any(segment in caplog.text for segment in text.split("."))


@given(
    st.text()
    | st.text(alphabet=string.ascii_letters + string.digits + "+/=-_.", max_size=60)
    | st.lists(st.binary().map(url_safe), min_size=1, max_size=4).map(".".join)
)
def test_no_text_in_a_header_is_more_than_an_assertion_that_does_not_count(text: str) -> None:
    assert caller(text) is None


@given(st.text(), st.text())
def test_no_name_of_a_header_is_too_odd(name: str, rest: str) -> None:
    assert caller(an_assertion(), name) is None
    assert (caller(an_assertion(), HEADER_PREFIX + rest) is not None) is (rest != "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=5
)


@given(JSON | st.fixed_dictionaries({}, optional={ENDUSER: JSON, ROLE: JSON, "exp": JSON}))
def test_no_signed_content_is_more_than_a_caller_or_none(claims: Any) -> None:
    found = caller(an_assertion(json.dumps(claims).encode()))

    assert found is None or (found.username and "@" not in found.username)


@given(JSON | st.fixed_dictionaries({"alg": JSON}))
def test_no_head_breaks_the_verifier(head: Any) -> None:
    _, rest = an_assertion().split(".", 1)

    assert caller(f"{url_safe(json.dumps(head).encode())}.{rest}") is None


def test_a_key_is_taken_as_base64_in_lines_or_as_pem() -> None:
    text = public_text(a_key(SHORT))
    pem = a_key(SHORT).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    for each in (text, f"{text[:64]}\n{text[64:]}\n", pem, f"\n{pem}"):
        assert caller(an_assertion(), verifier=Verifier(each)) == JDOE


def a_private_pem() -> str:
    return a_key(SHORT).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("", "cannot be read"),
        ("not base64!", "it is not base64"),
        ("&&&&", "it is not base64"),
        ("é", "it is not base64"),
        (standard(b"not DER"), "cannot be read"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read"),
        (a_private_pem, "give base64 of a DER public key, or PEM text"),
        (lambda: public_text(ec.generate_private_key(ec.SECP256R1())), "is not an RSA key"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_with_what_is_wrong(key: str | Callable[[], str], named: str) -> None:
    with pytest.raises(Misconfigured, match=f"the public key for assertions .*{named}"):
        Verifier(key if isinstance(key, str) else key())


@given(st.text() | st.binary().map(standard) | st.text().map("-----BEGIN PUBLIC KEY-----\n{}".format))
def test_no_text_for_a_key_raises_anything_else(text: str) -> None:
    with pytest.raises(Misconfigured):
        Verifier(text)


def test_what_a_signer_signs_its_verifier_takes() -> None:
    signer = Signer()
    verifier = Verifier(signer.public_key)
    roles = ["Internal/abaco-admin", "Internal/everyone"]

    assert caller(signer.sign("TACC/u1", roles), verifier=verifier) == Caller(
        "TACC/u1", "DEV-DEVELOP", frozenset(roles)
    )
    assert caller(signer.sign("jdoe", None), verifier=verifier) == JDOE
    assert caller(signer.sign("jdoe", [], iss="wso2"), verifier=verifier) == Caller(
        "jdoe", "DEV-DEVELOP", frozenset({""})
    )


def test_what_a_signer_signs_ends_when_it_says() -> None:
    signer = Signer()
    verifier = Verifier(signer.public_key)

    assert caller(signer.sign("jdoe", None, NOW + timedelta(seconds=1)), verifier=verifier) == JDOE
    assert caller(signer.sign("jdoe", None, NOW - timedelta(seconds=1)), verifier=verifier) is None


def test_claims_that_are_given_replace_a_signers_own() -> None:
    signer = Signer()

    claims: dict[str, Any] = {ENDUSER: "other@x", ROLE: ["a"]}

    text = signer.sign("jdoe", None, **claims)

    assert caller(text, verifier=Verifier(signer.public_key)) == Caller("other", "DEV-DEVELOP", frozenset())


def test_a_signer_has_one_key_pair_for_all_threads_and_no_other_signer_has_it() -> None:
    signer = Signer()
    with ThreadPoolExecutor(4) as threads:
        keys = set(threads.map(lambda _: signer.public_key, range(8)))

    assert len(keys) == 1
    assert caller(Signer().sign("jdoe", None), verifier=Verifier(keys.pop())) is None
