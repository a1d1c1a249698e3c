"""Basic authentication, as the gateway's own endpoints ask for it."""

from __future__ import annotations

from flask import request

from abacito.abaco.errors import WrongPassword
from abacito.abaco.tokens import User
from abacito.api.caller import abaco


def user() -> User:
    """The account that the request names. Raises WrongPassword, also without any."""
    name, password = credentials()
    return abaco().gateway.authenticate(name, password)


def credentials() -> tuple[str, str]:
    """User name and password, or key and secret. Raises WrongPassword when the request has none."""
    given = request.authorization
    if given is None or given.type != "basic" or given.username is None:
        raise WrongPassword("Basic authentication is required: user name and password.")
    return given.username, given.password or ""
