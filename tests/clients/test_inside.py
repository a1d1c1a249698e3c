"""Clients inside an actor: images that are strangers to the emulator, with the clients as they are on PyPI."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abacito.client import Abaco, Execution
from abacito.emulator import Emulator
from abacito.settings import Settings

_DOCKERFILE = """\
ARG BASE=python:3.11-slim
FROM ${BASE}
COPY site /opt/site
ENV PYTHONPATH=/opt/site
COPY actor.py /actor.py
CMD ["python3", "-W", "ignore", "/actor.py"]
"""

V2 = """\
from {module} import get_client, get_context, send_bytes_result, update_state

context = get_context()
client = get_client()
print("I am", client.profiles.get()["username"])
print("of", client.actors.get(actorId=context["actor_id"])["image"][:4])
print("told", context["message_dict"]["a"], "by", context["username"], "in", context["execution_id"])
update_state({{"seen": context["message_dict"]["a"]}})
send_bytes_result(b"done")
"""

V3 = """\
from tapipy.actors import get_client, get_context, send_bytes_result

context = get_context()
client = get_client()
print("I am", client.authenticator.get_userinfo().username)
print("of", client.actors.get_actor(actor_id=context["actor_id"]).image[:4])
print("told", context["message_dict"]["a"], "by", context["username"], "in", context["execution_id"])
client.actors.update_state(actor_id=context["actor_id"], request_body={"seen": context["message_dict"]["a"]})
send_bytes_result(b"done")
"""

PROGRAMS = {
    "agavepy": V2.format(module="agavepy.actors"),
    "tapispy": V2.format(module="tapispy.actors"),
    "tapipy": V3,
}
NOT_IN_THE_IMAGE = shutil.ignore_patterns("pip*", "__pycache__", "*.pyc", "pytest*", "_pytest")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0, runner="docker", actor_tls=True)) as found:
        yield found


@pytest.fixture
def image(tmp_path: Path, python_of: Callable[[str], Path]) -> Callable[[str, str], Path]:
    """Lays out an image with a client in it; its folder."""

    def laid_out(client: str, program: str) -> Path:
        folder = tmp_path / f"{client}_actor"
        site = next(python_of(client).parent.parent.glob("lib/python3*/site-packages"))
        shutil.copytree(site, folder / "site", ignore=NOT_IN_THE_IMAGE)
        (folder / "Dockerfile").write_text(_DOCKERFILE)
        (folder / "actor.py").write_text(program)
        return folder

    return laid_out


def ran(abaco: Abaco, folder: Path) -> Execution:
    actor = abaco.register(folder, stateless=False).wait(within_s=120)
    return actor.send({"a": [1, "ü"]}).wait(60)


@pytest.mark.docker
@pytest.mark.parametrize(
    "client",
    ["agavepy", pytest.param("tapispy", marks=pytest.mark.slow), pytest.param("tapipy", marks=pytest.mark.slow)],
)
@pytest.mark.walks("agavepy", "tapispy", "tapipy", steps=["actor-side context"])
def test_a_client_in_a_container_finds_its_way_by_itself_with_actor_tls(
    emulator: Emulator, image: Callable[[str, str], Path], client: str
) -> None:
    """spec: clients #43, #44; spec: execution #90, #91"""
    execution = ran(emulator.client(), image(client, PROGRAMS[client]))

    assert execution.exit_code == 0, execution.logs
    assert execution.logs.splitlines() == [
        "I am admin",
        "of dir:",
        f"told [1, 'ü'] by admin in {execution.id}",
    ]
    assert execution.results == [b"done"]
    state = emulator.client().request("GET", f"/actors/v2/{execution.actor.id}/state")
    assert state["state"] == {"seen": [1, "ü"]}


@pytest.mark.docker
def test_without_actor_tls_agavepy_says_that_its_connection_is_no_tls_and_so_do_we(
    image: Callable[[str, str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """spec: clients #43"""
    with Emulator(Settings.read(port=0, runner="docker")) as emulator:
        execution = ran(emulator.client(), image("agavepy", PROGRAMS["agavepy"]))

        assert execution.exit_code == 1
        assert "WRONG_VERSION_NUMBER" in execution.logs
        assert "--actor-tls" in caplog.text


@pytest.mark.docker
def test_a_plain_actor_sees_nothing_of_actor_tls_unless_it_is_on(emulator: Emulator) -> None:
    with Emulator(Settings.read(port=0, runner="docker")) as plain:
        logs = {
            found: found.client().register("abacosamples/test").wait(within_s=60).send("x").wait(60).logs
            for found in (plain, emulator)
        }

    added = ("HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PYTHONPATH")
    assert [name for name in added if f"{name}=" in logs[plain]] == []
    assert [name for name in added if f"{name}=" in logs[emulator]] == list(added)
    assert "_abaco_api_server=https://api.tacc.utexas.edu\n" in logs[emulator]
    assert "_abaco_api_server=http://" in logs[plain]
