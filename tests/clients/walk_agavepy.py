"""What a user of agavepy or tapispy does, from log-in to deletion; run by the client's own interpreter.

argv: module, class, base URL (https, no port), proxy, an actor of somebody else's, function to be called for a moment
at which the token is to expire. Prints one JSON object of what was seen.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import urllib.request

module, kind, base, proxy, others_actor, expire = sys.argv[1:]
client_class = getattr(importlib.import_module(module), kind)
reached = {"api_server": base, "verify": False, "proxies": {"https": proxy}}
seen = {}


def logged_in(username):
    """A new client of OAuth's; making it fetches tokens with the password."""
    client = client_class(username=username, password="p", **reached)
    seen[f"client of {username}"] = client.clients.create(body={"clientName": kind + module, "description": "walks"})
    return client


def until(question, answer):
    deadline = time.monotonic() + 30
    while question() != answer:
        if time.monotonic() > deadline:
            raise SystemExit(f"it never was {answer!r}")
        time.sleep(0.1)  # as the client's own helpers do: nothing tells it


def sent(actor, body=None, binary=None, **more):
    """The log of the execution that this message has, when it has ended; and what was answered."""
    if binary is None:
        answer = client.actors.sendMessage(actorId=actor, body=body, **more)
    else:
        headers = {"Content-Type": "application/octet-stream"}
        answer = client.actors.sendBinaryMessage(actorId=actor, message=binary, headers=headers)
    names = {"actorId": actor, "executionId": answer["executionId"]}
    until(lambda: client.actors.getExecution(**names)["status"], "COMPLETE")
    return {"answer": answer, "log": client.actors.getExecutionLogs(**names)["logs"], **names}


def refusal(call, **arguments):
    """How the client tells of a refusal."""
    try:
        call(**arguments)
    except Exception as error:  # noqa: BLE001 # what kind it is, is asked
        response = getattr(error, "response", None)
        told = [] if response is None else [response.status_code, response.json()["status"]]
        return [type(error).__name__, *told]
    raise SystemExit("it was not refused")


client = logged_in("jdoe")
seen["profile"] = client.profiles.get()["username"]
actors = client.actors

# An actor
actor = actors.add(body={"image": "abacosamples/test", "name": "walk", "defaultEnvironment": {"key1": "value1"}})
seen["actor"] = actor
actor_id = actor["id"]
unnamed = actors.add(body={"image": "abacosamples/test", "default_environment": {"key1": "value1"}})
seen["unnamed"] = unnamed
seen["list"] = [each["id"] for each in actors.list()]
seen["search"] = actors.list(limit=5, offset=0)
until(lambda: actors.get(actorId=actor_id)["status"], "READY")
seen["got"] = actors.get(actorId=actor_id)

# Messages
raw = sent(actor_id, {"message": "hello"}, environment={"foo": "bar"})
seen["raw"] = raw
seen["execution"] = actors.getExecution(actorId=actor_id, executionId=raw["executionId"])
seen["json"] = sent(actor_id, {"a": [1, None, True]})
reader = actors.add(body={"image": "reads_binary"})["id"]
seen["binary"] = sent(reader, binary=bytes(range(256)))
seen["no JSON"] = [refusal(actors.sendMessage, actorId=actor_id, body=body) for body in ("plain", ["a", "b"])]
seen["executions"] = actors.listExecutions(actorId=actor_id)
seen["waiting"] = actors.getMessages(actorId=actor_id)["messages"]
seen["cleared"] = refusal(actors.deleteMessages, actorId=actor_id)

# Results
sender = actors.add(body={"image": "sends_results"})["id"]
names = {"actorId": sender, "executionId": sent(sender, {"message": "2"})["executionId"]}
results = [actors.getOneExecutionResult(**names) for _ in range(4)]
seen["results"] = [[each.status_code, each.content.decode(), each.headers["Content-Type"]] for each in results]

# State
stateful = actors.add(body={"image": "abacosamples/test", "stateless": False})["id"]
actors.updateState(actorId=stateful, body={"count": [1, 2]})
seen["state"] = actors.getState(actorId=stateful)["state"]
actors.updateState(actorId=stateful, body='{"as": "text"}')
seen["state from text"] = actors.getState(actorId=stateful)["state"]

# Permissions, nonces, aliases
seen["granted"] = actors.updatePermissions(actorId=actor_id, body={"user": "jane", "level": "READ"})
actors.updatePermissions(actorId=actor_id, body={"user": "jane", "level": "NONE"})
seen["permissions"] = actors.getPermissions(actorId=actor_id)
free = actors.addNonce(actorId=actor_id)
seen["nonce"] = free
once = actors.addNonce(actorId=actor_id, body={"maxUses": 1, "level": "EXECUTE"})
seen["listed nonces"] = [each["id"] for each in actors.listNonces(actorId=actor_id)] == [free["id"], once["id"]]
anyone = client_class(use_nonce=True, **reached).actors
by_nonce = {"actorId": actor_id, "body": {"message": "by nonce"}, "nonce": once["id"]}
seen["by nonce"] = anyone.sendMessage(**by_nonce)["msg"]
seen["nonce after use"] = actors.getNonce(actorId=actor_id, nonceId=once["id"])
seen["exhausted nonce"] = refusal(anyone.sendMessage, **by_nonce)
seen["deleted nonce"] = actors.deleteNonce(actorId=actor_id, nonceId=free["id"])
seen["deleted nonce again"] = refusal(actors.getNonce, actorId=actor_id, nonceId=free["id"])
actors.addAlias(body={"actorId": actor_id, "alias": "walker"})
seen["aliases"] = [each["alias"] for each in actors.listAliases()]
seen["by alias"] = [
    actors.get(actorId="walker")["id"],
    actors.getAlias(alias="walker")["actorId"],
    sent("walker", {"message": "by alias"})["log"].splitlines()[0],
]
seen["deleted alias"] = actors.deleteAlias(alias="walker")
seen["deleted alias again"] = refusal(actors.get, actorId="walker")

# Workers are an admin's
admin = logged_in("admin").actors
seen["added workers"] = admin.addWorker(actorId=stateful, body={"num": 1})
seen["refused workers"] = refusal(actors.addWorker, actorId=stateful, body={"num": 1})
until(lambda: len(actors.listWorkers(actorId=stateful)) >= 1, True)
worker = actors.listWorkers(actorId=stateful)[0]
seen["worker"] = worker
seen["worker again"] = actors.getWorker(actorId=stateful, workerId=worker["id"])["id"] == worker["id"]

# What the client has no words for
seen["operations"] = dir(actors)

updated = actors.update(actorId=actor_id, body={"image": "abacosamples/test", "description": "again"})
seen["updated"] = [updated["description"], updated["name"]]
access = client.token.token_info["access_token"]
urllib.request.urlopen(expire).close()  # the clock goes on by more than four hours
seen["healed"] = actors.get(actorId=actor_id)["id"]
seen["new token"] = client.token.token_info["access_token"] != access
client.token.refresh()
seen["refreshed"] = client.profiles.get()["username"]
seen["unknown"] = refusal(actors.get, actorId="nobody-has-this")
seen["another's"] = refusal(actors.get, actorId=others_actor)
left = unnamed["id"]
seen["left"] = left
seen["deleted"] = [actors.delete(actorId=each["id"]) for each in actors.list() if each["id"] != left]
seen["list after"] = [each["id"] for each in actors.list()]
print(json.dumps(seen, default=str))
