"""Run by the interpreter of tapipy's environment: all 30 operations on actors, and a token that expires.

Prints what came of it as JSON.
"""

import base64
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from tapipy.errors import NotFoundError
from tapipy.tapis import Tapis

base, image, key, secret, expires = sys.argv[1:]
client = Tapis(base_url=base, username="jdoe", password="p", client_id=key, client_key=secret)
client.get_tokens()
actors = client.actors
seen: dict[str, Any] = {}

made = actors.create_actor(image=image, stateless=False, description="walk", default_environment={"key1": "value1"})
seen["actor"] = {name: getattr(made, name) for name in ("image", "owner", "status", "description", "stateless")}
seen["environment"] = made.default_environment.key1


def until(question: Callable[[], Any], answer: str) -> None:
    deadline = time.monotonic() + 30
    while question() != answer:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never was {answer!r}")
        time.sleep(0.1)  # the client has no call that waits, and nothing tells it


until(lambda: actors.get_actor(actor_id=made.id).status, "READY")
seen["listed"] = [each.id for each in actors.list_actors()] == [made.id]


def end_of(posted: Any) -> Any:
    names = {"actor_id": made.id, "execution_id": posted.execution_id}
    until(lambda: actors.get_execution(**names).status, "COMPLETE")
    return actors.get_execution(**names)


sent = actors.send_message(actor_id=made.id, message="hello", _tapis_query_parameters={"foo": "bar"})
seen["both ids"] = sent.execution_id == sent.executionId
execution = end_of(sent)
seen["execution"] = [execution.exit_code, execution.actor_id == made.id, execution.final_state.ExitCode]
logs = actors.get_execution_logs(actor_id=made.id, execution_id=sent.execution_id).logs
seen["logs"] = [text in logs for text in ("Contents of MSG: hello", "key1=value1", "foo=bar")]
taken = actors.get_execution_result(actor_id=made.id, execution_id=sent.execution_id)
seen["result"] = [type(taken).__name__, len(taken)]

nested = end_of(actors.send_json_message(actor_id=made.id, message={"a": [1, None]}))
seen["json"] = "{'a': [1, None]}" in actors.get_execution_logs(actor_id=made.id, execution_id=nested.id).logs
binary = actors.send_binary_message(
    actor_id=made.id, request_body=b"\0\1", _tapis_headers={"Content-Type": "application/octet-stream"}
)
end_of(binary)
seen["binary"] = binary.msg
answer = actors.send_message(actor_id=made.id, message="now", _abaco_synchronous=True)
seen["synchronous"] = [type(answer).__name__, b"Contents of MSG: now" in answer]

listed = actors.list_executions(actor_id=made.id)
seen["executions"] = [listed.total_executions, len(listed.executions)]
seen["messages"] = actors.get_messages(actor_id=made.id).messages
seen["purged"] = actors.delete_pending_messages(actor_id=made.id).msg

actors.update_state(actor_id=made.id, request_body={"count": 3})
seen["state"] = actors.get_state(actor_id=made.id).state.count

nonce = actors.create_nonce(actor_id=made.id, level="READ", max_uses=2)
seen["nonce"] = [nonce.level, nonce.max_uses, actors.get_nonce(actor_id=made.id, nonce_id=nonce.id).remaining_uses]
actors.delete_nonce(actor_id=made.id, nonce_id=nonce.id)
seen["nonces"] = len(actors.list_nonces(actor_id=made.id))

actors.update_permissions(actor_id=made.id, user="jane", level="READ")
seen["permissions"] = vars(actors.list_permissions(actor_id=made.id))

alias = actors.create_alias(alias="mine", actor_id=made.id)
seen["alias"] = [alias.alias, actors.get_alias(alias="mine").actor_id == made.id, len(actors.list_aliases())]
actors.update_actor_alias(alias="mine", actor_id=made.id)
actors.delete_alias(alias="mine")
seen["aliases"] = len(actors.list_aliases())

seen["workers"] = len(actors.list_workers(actor_id=made.id))
admin = Tapis(base_url=base, username="admin", password="p")
admin.get_tokens()
seen["pool"] = admin.actors.manage_worker_pool_size(actor_id=made.id, num=1)["message"].replace(made.id, "ID")
found = actors.search_database(search_type="executions")
seen["search"] = len(found.search)

updated = actors.update_actor(actor_id=made.id, image=image, stateless=False, description="again")
seen["updated"] = updated.description

urllib.request.urlopen(expires, timeout=20).read()
stale = client.access_token.access_token
try:
    actors.get_actor(actor_id=made.id)
    seen["expired"] = "was let in"
except Exception as error:  # noqa: BLE001  the name of whatever it is is what is looked at
    seen["expired"] = type(error).__name__
client.refresh_tokens()
seen["renewed"] = client.access_token.access_token != stale
seen["goes on"] = actors.get_actor(actor_id=made.id).id == made.id

claims = json.loads(base64.urlsafe_b64decode(client.access_token.access_token.split(".")[1] + "=="))
seen["who"] = claims["tapis/username"]
actors.delete_actor(actor_id=made.id)
try:
    actors.get_actor(actor_id=made.id)
except NotFoundError as error:
    seen["deleted"] = ["NotFoundError", made.id in str(error)]
except Exception as error:  # noqa: BLE001  ditto
    seen["deleted"] = [type(error).__name__, str(error)]
print(json.dumps(seen))
