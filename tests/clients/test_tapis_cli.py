"""tapis-cli, unmodified, as the commands that its users type, in the environment that ``abacito env`` prints."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from abacito.abaco.time import real_monotonic
from abacito.emulator import Emulator
from tests.clients.conftest import Asked, Shell

HOST = "https://api.tacc.utexas.edu"


@dataclass(frozen=True)
class Call:
    """One command: what it wrote, how it ended, and how often the emulator was asked to refresh a token meanwhile."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    refreshes: int

    @property
    def json(self) -> Any:
        assert self.code == 0, f"{self.arguments}: {self.stderr}"
        return json.loads(self.stdout)


@dataclass
class Cli:
    """A user's terminal. Every command is kept in ``calls``."""

    command: Path
    environment: Mapping[str, str]
    asked: list[Asked]
    calls: list[Call] = field(default_factory=list)

    def run(self, *arguments: str, **variables: str) -> Call:
        before = len(self.asked)
        done = subprocess.run(
            [self.command, *arguments],
            env={**self.environment, **variables},
            cwd=self.environment["HOME"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        refreshes = sum(each.grant == "refresh_token" for each in self.asked[before:])
        self.calls.append(Call(arguments, done.returncode, done.stdout, done.stderr, refreshes))
        return self.calls[-1]

    def __call__(self, *arguments: str) -> Any:
        """What a command prints with ``-f json``; it must succeed."""
        return self.run(*arguments, "-f", "json").json

    def until(self, value: str, *arguments: str) -> None:
        deadline = real_monotonic() + 60
        while self(*arguments)["status"] != value:
            assert real_monotonic() < deadline, f"{arguments}: never {value}"

    def log_in(self) -> Any:
        """As jdoe, whoever the printed session is."""
        who = ("--username", "jdoe", "--password", "p")
        return self("auth", "init", "--api-server", HOST, *who, "--no-dockerhub")

    def actor(self, name: str = "walk", *more: str) -> str:
        """The id of a new actor."""
        return str(self("actors", "create", "--repo", "abacosamples/test", "-n", name, *more)["id"])

    def submitted(self, actor: str, *more: str) -> str:
        """The id of the execution that a message has, when it has ended."""
        execution = str(self("actors", "submit", *more, actor)["executionId"])
        self.until("COMPLETE", "actors", "execs", "show", actor, execution)
        return execution


@pytest.fixture
def cli(emulator: Emulator, shell: Shell, asked: list[Asked], python_of: Callable[[str], Path]) -> Cli:
    """In the environment that ``abacito env --client tapis-cli`` prints, in an empty home folder; no actors yet."""
    emulator.reset()
    return Cli(python_of("tapis-cli").with_name("tapis"), shell.exports("--client", "tapis-cli"), asked)


def test_an_actor_is_created_run_and_deleted(cli: Cli) -> None:
    """spec: clients #45, #46, #47, #62"""
    session = cli.log_in()
    actor = cli.actor("short")
    listed = cli("actors", "list")
    ran = cli.run("actors", "run", "-m", "hello", actor)
    deleted = cli("actors", "delete", actor)

    assert session["username"] == "jdoe"
    assert [(each["id"], each["name"]) for each in listed] == [(actor, "short")]
    assert (ran.code, ran.stdout.splitlines()[0]) == (0, "Contents of MSG: hello")
    assert deleted == {"deleted": [actor], "messages": []}


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["log in", "refresh"])
def test_the_auth_commands_succeed_unattended(cli: Cli) -> None:
    """spec: clients #45"""
    session = cli.log_in()
    shown = cli("auth", "show")
    created = cli("auth", "tokens", "create", "--password", "p")
    refreshed = cli("auth", "tokens", "refresh")
    profile = cli("profiles", "show", "self")

    assert (session["tenant_id"], session["username"], session["verify"]) == ("tacc.prod", "jdoe", "False")
    tokens = [each["access_token"] for each in (session, created, refreshed)]
    assert shown["access_token"] == tokens[0]
    assert len(set(tokens)) == 3
    assert profile["username"] == "jdoe"
    assert [call.refreshes for call in cli.calls] == [0, 0, 1, 2, 1]


@pytest.mark.slow
def test_a_tenant_stands_for_its_address(cli: Cli) -> None:
    """spec: clients #18"""
    session = cli("auth", "init", "--tenant-id", "tacc.prod", "--username", "jdoe", "--password", "p", "--no-dockerhub")

    assert (session["tenant_id"], session["username"]) == ("tacc.prod", "jdoe")
    assert cli.run("actors", "list").code == 0


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["register", "list", "get", "update", "delete"])
def test_an_actor_is_created_shown_listed_updated_and_deleted(cli: Cli, asked: list[Asked]) -> None:
    """spec: clients #46"""
    cli.log_in()
    created = cli("actors", "create", "--repo", "abacosamples/test", "-n", "walk", "--force", "-e", "key1=value1")
    actor = created["id"]
    shown = cli("actors", "show", "-v", actor)
    listed = cli("actors", "list")
    updated = cli("actors", "update", "--repo", "abacosamples/test", "-d", "again", actor)
    after = cli("actors", "show", actor)
    deleted = cli("actors", "delete", actor)

    assert (created["name"], created["owner"], created["image"]) == ("walk", "jdoe", "abacosamples/test")
    assert shown["defaultEnvironment"] == {"key1": "value1"}
    assert shown["_links"]["executions"].endswith(f"/{actor}/executions")
    assert actor in [each["id"] for each in listed]
    assert (updated["id"], after["description"], after["name"]) == (actor, "again", "walk")
    assert after["defaultEnvironment"] == {}  # the client sends an empty one with every update
    assert deleted == {"deleted": [actor], "messages": []}
    assert cli.run("actors", "show", actor).code == 1


@pytest.mark.slow
def test_run_prints_the_log_and_leaves_the_mailbox_empty(cli: Cli) -> None:
    """spec: clients #47"""
    cli.log_in()
    actor = cli.actor()

    ran = cli.run("actors", "run", "-m", "hello", "-e", "k=v", actor)
    stopped = cli("actors", "execs", "stop", actor)

    assert ran.code == 0
    assert {"Contents of MSG: hello", "MSG=hello", "k=v"} <= set(ran.stdout.splitlines())
    assert stopped == {"original_message_queue_length": 0, "current_message_queue_length": 0}


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["send raw", "wait", "details", "logs"])
def test_a_submitted_message_completes_and_its_log_is_printed(cli: Cli) -> None:
    """spec: clients #48"""
    cli.log_in()
    actor = cli.actor("walk", "-e", "key1=value1")
    execution = cli.submitted(actor, "-m", "hi", "-e", "k=v")
    listed = cli("actors", "execs", "list", actor)
    shown = cli("actors", "execs", "show", actor, execution)
    logs = cli.run("actors", "execs", "logs", actor, execution)

    assert listed == [{"executionId": execution, "status": "COMPLETE"}]
    assert (shown["id"], shown["actorId"], shown["status"]) == (execution, actor, "COMPLETE")
    assert {"Contents of MSG: hi", "k=v", "key1=value1"} <= {line.strip() for line in logs.stdout.splitlines()}


@pytest.mark.slow
def test_every_message_is_sent_as_text(cli: Cli, tmp_path: Path) -> None:
    """What the table in docs/clients.md calls impossible is so: JSON stays text, and bytes are not read."""
    cli.log_in()
    actor = cli.actor()
    (tmp_path / "bytes").write_bytes(bytes(range(256)))

    as_json = cli.run("actors", "run", "-m", '{"a": [true]}', actor)
    as_bytes = cli.run("actors", "submit", "-F", str(tmp_path / "bytes"), actor)

    assert {'MSG={"a": [true]}', "_abaco_Content_Type=str"} <= set(as_json.stdout.splitlines())
    assert as_bytes.code == 1
    assert "can't decode byte" in as_bytes.stderr


@pytest.mark.slow
def test_there_are_no_commands_for_configs_state_and_results(cli: Cli) -> None:
    """What the table in docs/clients.md calls impossible is so."""
    commands = {line.strip() for line in cli.run("help", "actors").stdout.splitlines()}

    assert "actors aliases create" in commands
    assert [each for each in commands for word in ("config", "state", "result") if word in each] == []


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["nonces"])
def test_nonces_of_an_actor_are_created_listed_used_and_deleted(cli: Cli) -> None:
    """spec: clients #49, #51"""
    cli.log_in()
    actor = cli.actor()
    free = cli("actors", "nonces", "create", actor)
    limited = cli("actors", "nonces", "create", "--level", "READ", "--max-uses", "3", actor)
    listed = cli("actors", "nonces", "list", actor)
    without_login = {"TAPIS_CACHE_DIR": str(Path(cli.environment["HOME"]) / "none"), "AGAVE_CACHE_DIR": ""}
    before = len(cli.asked)
    shown = cli.run("actors", "show", "-Z", limited["id"], "-H", HOST, actor, "-f", "json", **without_login)
    by_nonce = cli.asked[before:]
    deleted = cli("actors", "nonces", "delete", actor, free["id"])

    assert (free["level"], limited["level"]) == ("EXECUTE", "READ")
    assert [each["id"] for each in listed] == [free["id"], limited["id"]]
    assert shown.json["id"] == actor
    assert [(each.path, each.has_token) for each in by_nonce] == [(f"/actors/{actor}", False)]
    assert deleted == {"deleted": [free["id"]], "messages": []}


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["aliases"])
def test_aliases_and_their_nonces_are_created_listed_and_deleted(cli: Cli) -> None:
    """spec: clients #49, #50"""
    cli.log_in()
    actor, other = cli.actor("one"), cli.actor("other")
    created = cli("actors", "aliases", "create", "walker", actor)
    listed = cli("actors", "aliases", "list")
    by_alias = cli("actors", "show", "walker")
    nonce = cli("actors", "nonces", "create", "-A", "walker")
    (posted,) = [each for each in cli.asked if each.method == "POST" and each.path.endswith("/aliases/walker/nonces")]
    nonces = cli("actors", "nonces", "list", "-A", "walker")
    no_nonce = cli("actors", "nonces", "delete", "-A", "walker", nonce["id"])
    updated = cli("actors", "aliases", "update", "walker", other)
    shown = cli("actors", "aliases", "show", "walker")
    deleted = cli("actors", "aliases", "delete", "walker")

    assert created == {"alias": "walker", "actorId": actor, "owner": "jdoe"}
    assert listed == [created]
    assert by_alias["id"] == actor
    assert posted.content_type == "application/x-www-form-urlencoded"
    assert [each["id"] for each in nonces] == [nonce["id"]]
    assert no_nonce["deleted"] == [nonce["id"]]
    assert updated == shown == {**created, "actorId": other}
    assert deleted["deleted"] == ["walker"]
    assert cli("actors", "aliases", "list") == []


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["permissions"])
def test_permissions_are_granted_listed_shown_and_revoked(cli: Cli) -> None:
    """spec: clients #50, #39"""
    cli.log_in()
    actor = cli.actor()
    owner = {"username": "jdoe", "permission": "UPDATE"}
    granted = cli("actors", "pems", "grant", actor, "jane", "READ")
    listed = cli("actors", "pems", "list", actor)
    shown = cli("actors", "pems", "show", actor, "jane")
    revoked = cli("actors", "pems", "revoke", actor, "jane")

    assert granted == listed == [{"username": "jane", "permission": "READ"}, owner]
    assert shown == {"username": "jane", "permission": "READ"}
    assert revoked == [{"username": "jane", "permission": "NONE"}, owner]


@pytest.mark.slow
def test_workers_are_listed_and_shown_and_an_admin_adds_some(cli: Cli) -> None:
    """The printed session is the admin's. spec: clients #50"""
    actor = cli.actor("walk", "--stateful")
    added = cli("actors", "workers", "create", actor, "1")
    workers = cli("actors", "workers", "list", actor)
    shown = cli("actors", "workers", "show", actor, workers[0]["workerId"])

    assert added["status"] == "success"
    assert len(workers) == 1
    assert shown["status"] in ("READY", "PROCESSING", "BUSY")


@pytest.mark.slow
def test_actors_without_name_and_description_do_not_break_the_list(cli: Cli, emulator: Emulator) -> None:
    """The other client is plain HTTP: the command line itself wants a name. spec: clients #52, #61"""
    cli.log_in()
    headers = {"Authorization": f"Bearer {emulator.token_for('jdoe')}"}
    body = {"image": "abacosamples/test"}
    made = requests.post(f"{emulator.url}/actors/v2", json=body, headers=headers, timeout=10).json()["result"]

    listed = cli("actors", "list")
    table = cli.run("actors", "list")
    filtered = cli.run("actors", "list", "--filter", "abaco")
    shown = cli("actors", "show", "-v", made["id"])

    assert made["id"] in [each["id"] for each in listed]
    assert made["id"] in table.stdout
    assert (filtered.code, filtered.stderr) == (1, "'name'\n")  # the client's own fault
    assert shown["id"] == made["id"]


@pytest.mark.slow
@pytest.mark.walks("tapis-cli", steps=["expired token"])
def test_after_four_hours_the_next_command_goes_on(cli: Cli, emulator: Emulator) -> None:
    """spec: clients #15"""
    cli.log_in()
    actor = cli.actor()

    emulator.clock.travel(timedelta(hours=4, minutes=1))

    assert cli("actors", "show", actor)["id"] == actor


@pytest.mark.slow
def test_thirty_commands_in_a_row_refresh_thirty_times(cli: Cli) -> None:
    """spec: clients #17"""
    cli.log_in()
    actor = cli.actor()
    cli.calls.clear()

    for _ in range(10):
        cli.run("actors", "list")
        cli.run("actors", "show", actor)
        cli.run("profiles", "show", "self")

    assert [(call.code, call.refreshes) for call in cli.calls] == [(0, 1)] * 30


@pytest.mark.slow
def test_failures_are_one_line_with_the_envelopes_message(cli: Cli) -> None:
    """spec: clients #25"""
    cli.log_in()

    unknown = cli.run("actors", "show", "nobody-has-this")
    deleted = cli("actors", "delete", "nobody-has-this")

    assert (unknown.code, unknown.stderr.count("\n")) == (1, 1)
    assert "404" in unknown.stderr
    assert "Actor with identifier 'nobody-has-this' not found" in unknown.stderr
    assert deleted["deleted"] == []
    assert len(deleted["messages"]) == 1
