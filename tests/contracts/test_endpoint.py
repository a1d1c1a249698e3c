"""The whole emulator on an engine that is not moto: the same code, by ``endpoint_url``."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import requests

from abacito.abaco.errors import Unavailable
from abacito.aws import keys
from abacito.aws.tables import EXPIRES_AT
from abacito.emulator import Emulator
from abacito.settings import Settings


def test_all_emulators_on_an_endpoint_show_the_same_time_and_items_expire_by_the_machines(
    ministack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings = Settings.read(port=0, runner="process", endpoint_url=ministack, emulator=f"t{secrets.token_hex(3)}")

    with Emulator(settings) as one, Emulator(settings) as other:
        table = one.stored.tokens._table
        token = one.token
        kept = table.get(keys.token(sha256(token.encode()).hexdigest())) or {}
        assert 14_390 < int(kept[EXPIRES_AT]) - datetime.now(UTC).timestamp() < 14_410

        # A bundled actor: either of the two may run it, and a function is in one of them only.
        execution = one.client().register("echo").wait(within_s=60).send("said").wait(60)
        log = table.get(keys.log(execution.id)) or {}
        assert (log["text"], execution.logs) == ("said\n", "said\n")
        assert 86_300 < int(log[EXPIRES_AT]) - datetime.now(UTC).timestamp() < 86_410

        one.clock.travel(timedelta(hours=5))

        assert timedelta(hours=4) < other.clock.now() - datetime.now(UTC) < timedelta(hours=6)
        headers = {"Authorization": f"Bearer {token}"}
        asked = [requests.get(f"{each.url}/actors", headers=headers, timeout=20) for each in (one, other)]
        assert [answer.status_code for answer in asked] == [401, 401]
        moved = table.get(keys.token(sha256(other.token.encode()).hexdigest())) or {}
        assert EXPIRES_AT not in moved  # the clock may be set back yet
        other.clock.reset()
        assert requests.get(f"{one.url}/actors", headers=headers, timeout=20).status_code == 200


def test_messages_run_on_an_endpoint_as_they_do_embedded(ministack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings = Settings.read(port=0, runner="process", endpoint_url=ministack, emulator=f"t{secrets.token_hex(3)}")

    with Emulator(settings) as emulator:
        client = emulator.client()
        actor = client.register(emulator.stub(lambda context: print("got", context.message)), stateless=False).wait()
        executions = [actor.send(str(number)) for number in range(5)]

        assert [execution.wait().logs for execution in executions] == [f"got {number}\n" for number in range(5)]
        assert set(emulator.health().values()) == {"ok"}
        with pytest.raises(Unavailable, match="not ours alone"):
            emulator.reset()
        actor.delete()
        client.close()
        emulator.check()
