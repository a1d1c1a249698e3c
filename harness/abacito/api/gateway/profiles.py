"""``/profiles/v2``: who is who."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from abacito.abaco.errors import Unknown
from abacito.api import wire
from abacito.api.caller import abaco, bearer

bp = Blueprint("profiles", __name__, url_prefix="/profiles/v2")


@bp.get("")
def list_profiles() -> Response:
    """The users of the caller's tenant; ``?username=`` picks one."""
    who = bearer()
    wanted = request.args.get("username")
    names = [name for name in abaco().gateway.usernames(who.tenant) if wanted in (None, name)]
    return wire.ok([profile_of(name) for name in names], "User details retrieved successfully.")


@bp.get("/me")
def me() -> Response:
    """The token's user."""
    return wire.ok(profile_of(bearer().username), "User details retrieved successfully.")


@bp.get("/<username>")
def get_profile(username: str) -> Response:
    """One user of the caller's tenant."""
    check_known(username, "User not found.")
    return wire.ok(profile_of(username), "User details retrieved successfully.")


def check_known(username: str, otherwise: str) -> None:
    """Raises Unknown, with these words, unless he is the caller or in the caller's tenant."""
    who = bearer()
    if username != who.username and username not in abaco().gateway.usernames(who.tenant):
        raise Unknown(otherwise)


def profile_of(username: str) -> dict[str, Any]:
    """A profile, in snake case whatever the instance speaks; all but the name is made up."""
    return {
        "username": username,
        "email": f"{username}@example.org",
        "first_name": username.capitalize(),
        "last_name": "",
        "full_name": username.capitalize(),
        "phone": "",
        "mobile_phone": "",
        "status": "",
        "create_time": "20140515180317Z",
        "uid": None,
    }
