"""The whole emulator on an engine that is not moto: the same code, by ``endpoint_url``."""

from __future__ import annotations

import secrets

import pytest

from abacito.abaco.errors import Unavailable
from abacito.emulator import Emulator
from abacito.settings import Settings


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
