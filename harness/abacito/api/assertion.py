"""Signed assertions (JWT): the gateway in front of Abaco tells in them who asks (http-api §1.8, http-api-more §9.1)."""

from __future__ import annotations

import base64
import logging
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from jwt.algorithms import RSAAlgorithm

from abacito.abaco.caller import EVERYONE, Caller
from abacito.abaco.errors import Misconfigured
from abacito.api.parameters import load_json

log = logging.getLogger(__name__)

HEADER_PREFIX = "X-Jwt-Assertion-"

# An old header, read when no other is there; it names no tenant, and stands for this one.
_OLD_HEADER, _OLD_TENANT = "Assertion", "DEV_STAGING"

_ENDUSER = "http://wso2.org/claims/enduser"
_ROLE = "http://wso2.org/claims/role"

# In upper case; Abaco takes any. The second is Java's name for the first.
_ALGORITHMS = ("RS256", "SHA256WITHRSA")
_RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)

_NO_DIGIT = re.compile(r"[^A-Za-z0-9+/_-]")
_TO_STANDARD = str.maketrans("-_", "+/")


def header_name(tenant: str) -> str:
    """The header of this tenant's assertions as the web server spells it: ``X-Jwt-Assertion-Dev-Develop``."""
    return _OLD_HEADER if tenant == _OLD_TENANT else f"{HEADER_PREFIX}{tenant}".replace("_", "-").title()


class Verifier:
    """Checks assertions with a public key: base64 of its DER form, as in Abaco's ``apim_public_key``, or PEM text.

    Raises Misconfigured for a key that cannot be used.
    """

    def __init__(self, public_key: str) -> None:
        self._key = _rsa_key(public_key)

    @staticmethod
    def tenant(headers: Iterable[tuple[str, str]]) -> str | None:
        """The tenant that the request's assertion is for, whether it counts or not; None without an assertion."""
        found = _assertion(headers)
        return found[0] if found else None

    def caller(self, headers: Iterable[tuple[str, str]], now: datetime) -> Caller | None:
        """Whom the request's assertion speaks for; None without one, or when it does not count at ``now``.

        The first assertion header is the only one looked at. One that does not count is dropped, with its reason
        in the log: the request goes on as if it had none. Never raises, whatever the headers hold.
        """
        found = _assertion(headers)
        if found is None:
            return None
        tenant, text = found
        try:
            claims = self._claims(text)
            _check_expiry(claims, now)
            return Caller(_user(claims), tenant, _roles(claims))
        except ValueError as error:
            log.warning("an assertion for tenant %r does not count: %s", tenant, error)
            return None

    def _claims(self, text: str) -> Mapping[str, Any]:
        """What the assertion says, once its signature is found good. Raises ValueError.

        PyJWT's own ``decode`` is not used: it refuses the encodings that are in use. The signature is over the
        first two segments as they were received, however they are encoded.
        """
        segments = text.split(".")
        if len(segments) != 3:
            raise ValueError("it has not three segments")
        head, payload, signature = segments
        algorithm = _json_object(head).get("alg")
        if not isinstance(algorithm, str) or algorithm.upper() not in _ALGORITHMS:
            raise ValueError("its algorithm is not RS256")
        if not _RS256.verify(f"{head}.{payload}".encode(), self._key, _decoded(signature)):
            raise ValueError("its signature is not by the key that is configured")
        return _json_object(payload)


class Signer:
    """Signs assertions as the gateway does, with a key pair that only this object has.

    The pair is made when it is first needed, which takes about 0.1 s. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: RSAPrivateKey | None = None

    @property
    def public_key(self) -> str:
        """The key to check with, as a Verifier and Abaco's ``apim_public_key`` take it."""
        der = self._key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    @property
    def public_key_pem(self) -> str:
        """The same key as PEM text, as Tapis v3 publishes it."""
        return self._key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(
        self, username: str, roles: Iterable[str] | None, expires: datetime | None = None, **claims: object
    ) -> str:
        """An assertion for this user: without a role claim when ``roles`` is None, for ever without ``expires``.

        ``claims`` are added, and replace ours of the same name.
        """
        content: dict[str, Any] = {_ENDUSER: f"{username}@carbon.super"}
        if roles is not None:
            content[_ROLE] = ",".join(roles)
        if expires is not None:
            content["exp"] = int(expires.timestamp())
        return self.encode(content | claims)

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Any claims, signed."""
        return jwt.encode(dict(claims), self._key(), algorithm="RS256")

    def _key(self) -> RSAPrivateKey:
        with self._lock:
            if self._made is None:
                self._made = generate_private_key(public_exponent=65537, key_size=2048)
            return self._made


def _assertion(headers: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Tenant and text of the first assertion header, in any case, ``_`` for ``-``; else of the old header."""
    old = None
    for name, text in headers:
        spelled = name.replace("_", "-").upper()
        tenant = spelled.removeprefix(HEADER_PREFIX.upper())
        if tenant and tenant != spelled:
            return tenant, text
        if spelled == _OLD_HEADER.upper() and old is None:
            old = _OLD_TENANT, text
    return old


def _json_object(segment: str) -> Mapping[str, Any]:
    """Raises ValueError for a segment that is no JSON object in base64."""
    value = load_json(_decoded(segment))
    if not isinstance(value, dict):
        raise ValueError("it is not made of JSON objects")
    return value


def _decoded(segment: str) -> bytes:
    """Base64 in either alphabet, padded or not, up to its end: stored assertions carry rubbish behind.

    Cut here, not by the decoder: Python's releases differ in what they do with text behind the padding.
    Raises ValueError.
    """
    digits = _NO_DIGIT.split(segment, maxsplit=1)[0].translate(_TO_STANDARD)
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def _check_expiry(claims: Mapping[str, Any], now: datetime) -> None:
    """In whole seconds, the last of which still counts, as in Abaco's PyJWT 0.2.3; so milliseconds lie far ahead."""
    expires = claims.get("exp", float("inf"))
    if not isinstance(expires, int | float):
        raise ValueError("its exp is not a number")
    if not expires >= int(now.timestamp()):  # so that NaN does not count
        raise ValueError("it has expired")


def _user(claims: Mapping[str, Any]) -> str:
    """Without what follows the first ``@``; the name of a user store before it stays (``TACC/u1``)."""
    user = claims.get(_ENDUSER)
    name = user.partition("@")[0] if isinstance(user, str) else ""
    if not name:
        raise ValueError(f"it has no user in {_ENDUSER}")
    return name


def _roles(claims: Mapping[str, Any]) -> frozenset[str]:
    """Split, not stripped: a blank behind a comma makes another role. What is no text holds no role."""
    roles = claims.get(_ROLE, EVERYONE)
    return frozenset(roles.split(",")) if isinstance(roles, str) else frozenset()


def _rsa_key(text: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(text.encode()) if "-----BEGIN" in text else load_der_public_key(_der(text))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(
            f"the public key for assertions cannot be read: {error}; give base64 of a DER public key, or PEM text"
        ) from error
    if not isinstance(key, RSAPublicKey):
        raise Misconfigured(f"the public key for assertions is not an RSA key but {type(key).__name__}")
    return key


def _der(text: str) -> bytes:
    """Line breaks and blanks are passed over. Raises ValueError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"it is not base64 ({error})") from error
