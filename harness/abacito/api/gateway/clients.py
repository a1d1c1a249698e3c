"""``/clients/v2``: OAuth clients, made by users with their passwords."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from abacito.abaco.oauth import Client
from abacito.api import wire
from abacito.api.caller import abaco
from abacito.api.gateway.basic import user
from abacito.api.parameters import NOT_JSON, json_body

bp = Blueprint("clients", __name__, url_prefix="/clients/v2")

#: What every client may call; nobody asks for more here.
_SUBSCRIPTION = {"apiName": "PublicAPIs", "apiVersion": "v2", "apiProvider": "admin"}


@bp.get("")
def list_clients() -> Response:
    """The user's clients."""
    return wire.ok([_shown(each) for each in abaco().gateway.clients_of(user())], "Clients retrieved successfully.")


@bp.post("")
def create_client() -> Response:
    """A new client; its secret is shown this once."""
    who, given = user(), _fields()
    made = abaco().gateway.register(
        who,
        given.get("clientName", ""),
        given.get("description", ""),
        given.get("tier", "Unlimited"),
        given.get("callbackUrl", ""),
    )
    return wire.ok(_shown(made), "Client created successfully.")


@bp.get("/<name>")
def get_client(name: str) -> Response:
    """One of the user's clients."""
    return wire.ok(_shown(abaco().gateway.client_of(user(), name)), "Client details retrieved successfully.")


@bp.delete("/<name>")
def delete_client(name: str) -> Response:
    """Remove one of the user's clients; its tokens live on until they expire."""
    abaco().gateway.remove(user(), name)
    return wire.ok({}, "Client removed successfully.")


@bp.get("/<name>/subscriptions")
def list_subscriptions(name: str) -> Response:
    """What a client may call: everything."""
    abaco().gateway.client_of(user(), name)
    return wire.ok([_SUBSCRIPTION], "Subscriptions retrieved successfully.")


@bp.post("/<name>/subscriptions")
def add_subscription(name: str) -> Response:
    """There is nothing to be added: a client may call everything already."""
    abaco().gateway.client_of(user(), name)
    return wire.ok([_SUBSCRIPTION], "Subscription created successfully.")


@bp.delete("/<name>/subscriptions")
def delete_subscriptions(name: str) -> Response:
    """Nothing can be taken away."""
    abaco().gateway.client_of(user(), name)
    return wire.ok([], "Subscription deleted successfully.")


def _fields() -> dict[str, str]:
    """Form or JSON."""
    body = json_body()
    if body is None or body is NOT_JSON or not isinstance(body, dict):
        return request.form.to_dict()
    return {str(name): str(value) for name, value in body.items() if value is not None}


def _shown(client: Client) -> dict[str, Any]:
    base = f"{request.host_url}clients/v2/{client.name}"
    fields = {
        "name": client.name,
        "description": client.description,
        "tier": client.tier,
        "callbackUrl": client.callback_url,
        "consumerKey": client.key,
        "_links": {
            "self": {"href": base},
            "subscriber": {"href": f"{request.host_url}profiles/v2/{client.owner}"},
            "subscriptions": {"href": f"{base}/subscriptions/"},
        },
    }
    return fields if client.secret is None else {**fields, "consumerSecret": client.secret}
