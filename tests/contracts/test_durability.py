"""``kill -9`` of a server whose state is at an endpoint: nothing is lost, nothing runs twice."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abacito.abaco.time import real_monotonic
from abacito.aws.session import Endpoint, storage
from abacito.client import Abaco, Actor, Execution
from abacito.workers.supervise import RING_VISIBILITY_S

#: A successor takes a dead holder's ring over when it comes again: 15 s after its last sign of life.
TAKEN_OVER_WITHIN_S = 60.0


class Site:
    """Servers, one after the other, over one endpoint."""

    def __init__(self, endpoint: str, scratch: Path) -> None:
        self._scratch = scratch
        self._ready = scratch / "ready.json"
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        self.namespace, self.endpoint = f"d{secrets.token_hex(3)}", endpoint
        own = {"ABACITO_EMULATOR": self.namespace, "ABACITO_ENDPOINT_URL": endpoint, "TMPDIR": str(scratch)}
        self._env = {**os.environ, **credentials, **own, "ABACITO_MAX_WORKERS_PER_ACTOR": "2"}
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Abaco

    def start(self) -> Abaco:
        """A new server; a client of it."""
        self._ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "abacito", "serve", "--port", "0", "--ready-file", str(self._ready)]
        with (self._scratch / "errors").open("ab") as errors:
            self._process = subprocess.Popen(
                [*command, "--runner", "docker"], env=self._env, stdout=subprocess.DEVNULL, stderr=errors
            )
        until(lambda: self._ready.exists() or self._has_ended(), 60)
        assert self._ready.exists(), (self._scratch / "errors").read_text()
        facts = json.loads(self._ready.read_text())
        self.client = Abaco(facts["url"], facts["token"])
        return self.client

    def kill(self) -> None:
        """As by a power cut, but for the daemon, which goes on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.client.close()

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
            self.client.close()


@pytest.fixture
def site(ministack: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="a", ignore_cleanup_errors=True) as scratch:
        found = Site(ministack, Path(scratch))
        yield found
        found.close()


def until(condition: Callable[[], bool], within_s: float) -> None:
    deadline = real_monotonic() + within_s
    while not condition():
        assert real_monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)  # what another process does is told to nobody: one has to look


def again(abaco: Abaco, execution: Execution) -> Execution:
    """The same execution, asked of another server."""
    return Execution(abaco, Actor(abaco, execution.actor.id), execution.id)


def lose_ring(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the dead holder's ring away, when its time in his hand is over."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    rings = storage(Endpoint(site.endpoint), site.namespace, f"abacito-{site.namespace}").rings

    def is_lost() -> bool:
        ring = rings.receive("default", 1, RING_VISIBILITY_S)
        if ring is not None:
            rings.delete(ring)
        return ring is not None

    until(is_lost, 2 * RING_VISIBILITY_S)


class Births:
    """The containers that the daemon has made of an execution, from now on."""

    def __init__(self, execution: Execution) -> None:
        label = f"label=abacito.execution={execution.id}"
        command = ["docker", "events", "--filter", label, "--filter", "event=start", "--format", "{{.ID}}"]
        self._process = subprocess.Popen(
            [*command, "--since", "10m"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.seen: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.seen += [line.strip() for line in self._process.stdout]

    def all(self) -> list[str]:
        """Those so far; ends the watch."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self.seen


def running(site: Site, seconds: int) -> tuple[Execution, Births]:
    """An execution of a new server's that goes on for so long, and who counts its containers."""
    actor = site.start().register("sleeps").wait(within_s=60)
    execution = actor.send(str(seconds))
    births = Births(execution)
    until(lambda: execution.status == "RUNNING", 20)
    return execution, births


@pytest.mark.docker
def test_an_execution_whose_server_was_killed_ends_with_its_first_containers_end_and_whole_log(site: Site) -> None:
    """spec: execution #99"""
    execution, births = running(site, 4)

    site.kill()
    after = again(site.start(), execution).wait(TAKEN_OVER_WITHIN_S)

    details = after.details
    assert (details["status"], details["exit_code"]) == ("COMPLETE", 0)
    assert details["runtime"] in (3, 4, 5)  # Docker notes a start late
    assert after.logs == "sleeping 4 s\nslept\n"
    assert len(births.all()) == 1


@pytest.mark.docker
def test_an_execution_that_ended_while_no_server_was_there_is_recorded_by_the_next(site: Site) -> None:
    """spec: execution #100"""
    execution, births = running(site, 1)

    site.kill()
    label = f"label=abacito.execution={execution.id}"
    ended = ["docker", "ps", "-q", "--filter", "status=exited", "--filter", label]
    until(lambda: subprocess.run(ended, capture_output=True, check=True).stdout != b"", 20)
    after = again(site.start(), execution).wait(TAKEN_OVER_WITHIN_S)

    assert (after.status, after.exit_code, after.logs) == ("COMPLETE", 0, "sleeping 1 s\nslept\n")
    assert len(births.all()) == 1


@pytest.mark.docker
@pytest.mark.slow
def test_an_execution_whose_ring_is_lost_with_its_server_is_taken_over_by_the_sweep_of_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, births = running(site, 1)

    site.kill()
    lose_ring(site, monkeypatch)
    after = again(site.start(), execution).wait(TAKEN_OVER_WITHIN_S)

    assert (after.status, after.exit_code, after.logs) == ("COMPLETE", 0, "sleeping 1 s\nslept\n")
    assert len(births.all()) == 1


@pytest.mark.docker
@pytest.mark.slow
def test_a_hundred_waiting_messages_run_once_each_after_a_kill(site: Site) -> None:
    """spec: execution #101"""
    abaco = site.start()
    actor = abaco.register("echo").wait(within_s=60)
    executions = [actor.send(f"message {number}") for number in range(100)]

    site.kill()
    abaco = site.start()
    after = [again(abaco, execution).wait(180) for execution in executions]

    assert {each.status for each in after} == {"COMPLETE"}
    assert [each.logs for each in after] == [f"message {number}\n" for number in range(100)]
    totals = abaco.request("GET", f"/actors/v2/{actor.id}/executions")
    assert totals["total_executions"] == 100
