"""What a user of agavepy or tapispy does, from log-in to deletion; run by the client's own interpreter.

argv: module, class, base URL (https, no port), proxy, key, secret, access token, refresh token, function to be called
for a moment at which the token is to expire. Prints one JSON object of what was seen.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import urllib.request

module, kind, base, proxy, key, secret, access, refresh, expire = sys.argv[1:]
client_class = getattr(importlib.import_module(module), kind)
client = client_class(
    api_server=base, api_key=key, api_secret=secret, token=access, refresh_token=refresh,
    username="jdoe", verify=False, proxies={"https": proxy},
)  # fmt: skip
seen = {}


def until_complete(actor, execution):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = client.actors.getExecution(actorId=actor, executionId=execution)
        if found["status"] == "COMPLETE":
            return found
        time.sleep(0.1)  # as the client's own helpers do: nothing tells it of the end
    raise SystemExit("the execution did not end")


seen["profile"] = client.profiles.get()["username"]
actor = client.actors.add(body={"image": "abacosamples/test", "name": "walk", "defaultEnvironment": {"key1": "value1"}})
seen["actor"] = sorted(actor)
actor_id = actor["id"]
seen["listed"] = [each["id"] for each in client.actors.list()] == [actor_id]
deadline = time.monotonic() + 30
while client.actors.get(actorId=actor_id)["status"] != "READY" and time.monotonic() < deadline:
    time.sleep(0.1)  # nothing tells it of the actor either

sent = client.actors.sendMessage(actorId=actor_id, body={"message": "hello"}, environment={"foo": "bar"})
seen["sent"] = [sent["msg"], "executionId" in sent]
done = until_complete(actor_id, sent["executionId"])
seen["execution"] = [done["exitCode"], done["finalState"]["ExitCode"], sorted(done)]
seen["log"] = client.actors.getExecutionLogs(actorId=actor_id, executionId=sent["executionId"])["logs"]
as_json = client.actors.sendMessage(actorId=actor_id, body={"a": [1, None, True]})
until_complete(actor_id, as_json["executionId"])
seen["json"] = client.actors.getExecutionLogs(actorId=actor_id, executionId=as_json["executionId"])["logs"]
binary = client.actors.sendBinaryMessage(
    actorId=actor_id, message=b"\0\1\2", headers={"Content-Type": "application/octet-stream"}
)
seen["binary"] = binary["msg"]
until_complete(actor_id, binary["executionId"])
result = client.actors.getOneExecutionResult(actorId=actor_id, executionId=sent["executionId"])
seen["result"] = [result.status_code, result.content.decode(), result.headers["Content-Type"]]
executions = client.actors.listExecutions(actorId=actor_id)
seen["executions"] = [len(executions["executions"]), executions["totalExecutions"]]
seen["waiting"] = client.actors.getMessages(actorId=actor_id)["messages"]

stateful = client.actors.add(body={"image": "abacosamples/test", "stateless": False})["id"]
client.actors.updateState(actorId=stateful, body={"count": [1, 2]})
seen["state"] = client.actors.getState(actorId=stateful)["state"]
seen["permissions"] = dict(client.actors.updatePermissions(actorId=actor_id, body={"user": "jane", "level": "READ"}))
nonce = client.actors.addNonce(actorId=actor_id)
limited = client.actors.addNonce(actorId=actor_id, body={"maxUses": 2, "level": "READ"})
seen["nonces"] = [nonce["level"], nonce["maxUses"], limited["remainingUses"]]
seen["listed nonces"] = len(client.actors.listNonces(actorId=actor_id))
client.actors.deleteNonce(actorId=actor_id, nonceId=nonce["id"])
client.actors.addAlias(body={"actorId": actor_id, "alias": "walker"})
seen["alias"] = client.actors.get(actorId="walker")["id"] == actor_id
seen["deleted alias"] = client.actors.deleteAlias(alias="walker")
seen["workers"] = [sorted(each)[:2] for each in client.actors.listWorkers(actorId=stateful)]
updated = client.actors.update(actorId=actor_id, body={"image": "abacosamples/test", "description": "again"})
seen["updated"] = [updated["description"], updated["name"]]

urllib.request.urlopen(expire).close()  # the clock goes on by more than four hours
seen["healed"] = client.profiles.get()["username"]
seen["new token"] = client.token.token_info["access_token"] != access
try:
    client.actors.get(actorId="nobody-has-this")
except Exception as error:  # noqa: BLE001 # what kind it is, is asked
    seen["unknown"] = [type(error).__name__, error.response.status_code, error.response.json()["status"]]
seen["deleted"] = [client.actors.delete(actorId=each) for each in (actor_id, stateful)]
print(json.dumps(seen, default=str))
