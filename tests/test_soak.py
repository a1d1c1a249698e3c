"""A soak: executions of every awkward kind at once, at random; all of them end, and nothing is left of them."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from abacito.abaco.time import real_monotonic
from abacito.client import Abaco, Actor, Execution, Refused
from abacito.emulator import Emulator
from abacito.settings import Settings

pytestmark = pytest.mark.slow

#: How long anything may take, with everything else before it in the mailboxes, on a machine that has other work.
PATIENCE_S = 600.0
POSTERS = 4

DEEP: Any = {"leaf": [None, True, 1.5, "é'\""]}
for _ in range(190):  # (400 levels are the limit)
    DEEP = {"in": [DEEP]}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an execution may be like: how often, what comes of it, what is posted and what is done to it.

    ``does`` is what the actor does, by a name below. Kinds with an ``act`` of their own may have an actor of their own.
    """

    often: int
    does: str = "nothing"
    code: int = 0
    message: Any = "hello"
    act: str = "post"
    runners: tuple[str, ...] = ("stub", "process", "docker")


KINDS = {
    "plain": Kind(12),
    "fails": Kind(4, "fails", 3),
    "raises": Kind(4, "raises", 1),
    "forks": Kind(3, "forks"),
    "floods": Kind(2, "floods"),
    "closes stdout": Kind(3, "closes"),
    "fills the results socket": Kind(1, "sends"),
    "never reads its binary message": Kind(3, message=bytes(1_000_000)),
    "never reads megabytes": Kind(1, message=bytes(5_000_000)),
    "crashes": Kind(3, "crashes", 139, runners=("process", "docker")),
    "a text too long for a variable": Kind(2, message="x" * 1_048_576, act="be_cut_off", runners=("process", "docker")),
    "a text with a NUL": Kind(2, message="a\0b", act="be_refused"),
    "long text": Kind(3, message="☃" + "x" * 100_000),
    "deep JSON": Kind(3, message=DEEP),
    "is halted": Kind(3, "waits", 7, act="halt"),
    "is halted, ignoring it": Kind(1, "ignores", 137, act="halt"),
    "is updated": Kind(2, "waits", 7, act="update"),
    "is purged": Kind(2, "waits", act="purge"),
    "loses its worker": Kind(2, "waits", 7, act="dismiss"),
    "is deleted while it runs": Kind(2, "waits", act="delete_running"),
    "is deleted at once": Kind(2, "waits", act="delete"),
    "outgrows its memory": Kind(2, "outgrows", 137, act="post_to_small", runners=("docker",)),
    "has no command": Kind(2, act="end_in_error", runners=("process", "docker")),
    "cannot be started": Kind(2, act="wait_in_error"),
}

#: The actors that all kinds without one of their own share, by whether they are stateless.
ACTORS = {"stateful": False, "stateful too": False, "stateless": True, "stateless too": True}

#: For process and docker. All kinds say hello first.
PROGRAM = """
import ctypes, os, signal, socket, sys, time
SOCKET = os.environ.get("ABACITO_RESULTS_SOCKET", "/_abaco_results.sock")
print("hello", os.environ["_abaco_execution_id"], flush=True)
match os.environ["does"]:
    case "fails":
        sys.exit(3)
    case "raises":
        raise ValueError("boom")
    case "forks":
        for _ in range(3):
            if os.fork() == 0:
                if "ABACITO_RESULTS_SOCKET" not in os.environ:  # a plain process is not followed there
                    os.setsid()
                signal.pause()
    case "floods":
        for _ in range(20):
            print("x" * 1_000_000)
    case "closes":
        os.close(1)
        os.close(2)
        time.sleep(0.2)
    case "sends":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as results:
            results.connect(SOCKET)
            for number in range(500):
                results.send(b"%d" % number * 100)
    case "waits":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        print("ready", flush=True)
        signal.pause()
    case "ignores":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        signal.pause()
    case "crashes":
        ctypes.string_at(0)
    case "outgrows":
        b"x" * 200_000_000
"""
PYTHON = 'ARG BASE=python:3.11-slim\nFROM ${BASE}\nCOPY actor.py /\nENV IMAGE=%s\nCMD ["python3", "/actor.py"]\n'
FOLDERS = {
    "soak-a": PYTHON % "a",
    "soak-b": PYTHON % "b",
    "soak-bare": "ARG BASE=busybox\nFROM ${BASE}\nCMD []\n",
    "soak-absent": 'ARG BASE=busybox\nFROM ${BASE}\nCMD ["no-such-command"]\n',
}


def _raises(context: Any) -> None:
    raise ValueError("boom")


def _forks(context: Any) -> None:
    for _ in range(3):
        threading.Thread(target=context.stopping.wait, args=[PATIENCE_S], name="outlives", daemon=True).start()


def _floods(context: Any) -> None:
    for _ in range(20):
        print("x" * 1_000_000)


def _sends(context: Any) -> None:
    for number in range(500):
        context.send_result(b"%d" % number * 100)


def _waits(context: Any) -> None:
    print("ready")
    context.stopping.wait(PATIENCE_S)
    context.exit(7)


def _ignores(context: Any) -> None:
    print("ready")
    while True:
        threading.Event().wait(0.01)


STUB: Mapping[str, Callable[[Any], object]] = {
    "nothing": lambda context: None,
    "fails": lambda context: context.exit(3),
    "raises": _raises,
    "forks": _forks,
    "floods": _floods,
    "closes": lambda context: sys.stdout.close(),
    "sends": _sends,
    "waits": _waits,
    "ignores": _ignores,
}


def stub(context: Any) -> object:
    print("hello", context.environment["_abaco_execution_id"])
    return STUB[context.environment["does"]](context)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a client does; ``actor`` is one of those that are shared."""

    kind: str
    actor: str


@dataclass
class Soak:
    """Clients of one emulator, and what they were promised.

    ``images``: two to run, one without a command, one that cannot be started. By ``mark``, in its environment, each
    process of an actor's is found, wherever it has gone.
    """

    emulator: Emulator
    images: tuple[str, str, str, str]
    mark: str
    actors: dict[str, str] = field(default_factory=dict)
    accepted: list[tuple[str, str, Kind]] = field(default_factory=list)

    def register(self, abaco: Abaco, image: str, **settings: Any) -> Actor:
        return abaco.register(image, default_environment={"SOAK": self.mark}, **settings)

    def share(self, abaco: Abaco, name: str, **settings: Any) -> None:
        """Register one of the actors that are there until the end."""
        self.actors[name] = self.register(abaco, self.images[0], **settings).wait(within_s=PATIENCE_S).id

    def perform(self, step: Step) -> None:
        """Do it, as a client with a connection of its own."""
        with closing(self.emulator.client()) as abaco:
            kind = KINDS[step.kind]
            act: Callable[[Abaco, Actor, Kind], object] = getattr(self, kind.act)
            act(abaco, Actor(abaco, self.actors[step.actor]), kind)

    def post(self, abaco: Abaco, actor: Actor, kind: Kind) -> Execution:
        execution = actor.send(kind.message, does=kind.does)
        self.accepted.append((actor.id, execution.id, kind))
        return execution

    def post_to_small(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        self.post(abaco, Actor(abaco, self.actors["small"]), kind)

    def halt(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        execution = self.post(abaco, actor, kind)
        until_ready(execution)
        abaco.request("DELETE", execution.path)

    def update(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        execution = self.post(abaco, actor, kind)
        until_ready(execution)
        now = actor.details
        other = next(image for image in self.images if image != now["image"])
        kept = {"stateless": now["stateless"], "defaultEnvironment": now["default_environment"]}
        abaco.request("PUT", actor.path, json={"image": other, **kept})
        abaco.request("DELETE", execution.path)

    def delete_running(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[0])
        execution = own.send("hello", does=kind.does)
        until_ready(execution)
        own.delete()
        assert execution.status == "COMPLETE"

    def delete(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[0], stateless=False)
        for _ in range(3):
            own.send("hello", does=kind.does)
        own.delete()
        with pytest.raises(Refused, match=own.id):
            _ = own.details

    def be_cut_off(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[0])
        ended = own.send(kind.message, does=kind.does).wait(PATIENCE_S)
        assert (ended.status, "rgument list too long" in ended.logs) == ("COMPLETE", True), ended.logs
        assert ended.exit_code != 0
        own.delete()

    def be_refused(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        with pytest.raises(Refused, match="could not be serialized"):
            actor.send(kind.message)

    def purge(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[0], stateless=False)
        running, *waiting = [own.send("hello", does=kind.does) for _ in range(4)]
        until_ready(running)
        abaco.request("DELETE", f"{own.path}/messages")
        abaco.request("DELETE", running.path)
        assert running.wait(PATIENCE_S).status == "COMPLETE"
        own.send("hello").wait(PATIENCE_S)
        assert {execution.status for execution in waiting} == {"SUBMITTED"}
        own.delete()

    def dismiss(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[0], stateless=False)
        first, second = (own.send("hello", does=does) for does in (kind.does, "nothing"))
        until_ready(first)
        abaco.request("DELETE", f"{own.path}/workers/{first.details['worker_id']}")
        abaco.request("DELETE", first.path)
        check(first, kind)
        assert second.wait(PATIENCE_S).details["worker_id"] != first.details["worker_id"]
        own.delete()

    def end_in_error(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[2])
        assert own.send("hello").wait(PATIENCE_S).status == "ERROR"
        assert own.status == "READY"
        own.delete()

    def wait_in_error(self, abaco: Abaco, actor: Actor, kind: Kind) -> None:
        own = self.register(abaco, self.images[3])
        for _ in range(2):
            own.send("hello")
        own.wait("ERROR", PATIENCE_S)
        until(lambda: abaco.request("GET", f"{own.path}/messages")["messages"], 2)
        own.delete()

    def finish(self) -> None:
        """A last message to each actor; raises for an execution that has not ended as its kind does."""
        with closing(self.emulator.client()) as abaco:
            last = [self.post(abaco, Actor(abaco, actor), KINDS["plain"]) for actor in self.actors.values()]
            for execution in last:
                assert execution.wait(PATIENCE_S).status == "COMPLETE"
            for actor, id, kind in self.accepted:
                check(Execution(abaco, Actor(abaco, actor), id), kind)
            for actor in self.actors.values():
                self._check_records(abaco, actor)
                assert abaco.request("GET", f"/actors/v2/{actor}/messages")["messages"] == 0
            until(lambda: self.emulator.stored.rings.count("default"), 0)

    def _check_records(self, abaco: Abaco, actor: str) -> None:
        records = abaco.request("GET", f"/actors/v2/{actor}/executions")["executions"]
        ended = Counter((record["id"], record["status"]) for record in records)
        assert ended == Counter((id, "COMPLETE") for of, id, _ in self.accepted if of == actor)

    def leave_running(self) -> None:
        """More than can run at once, one of them at work."""
        with closing(self.emulator.client()) as abaco:
            until_ready(Actor(abaco, self.actors["stateful"]).send("hello", does="ignores"))
            for does in ("ignores", "waits", "forks"):
                for actor in self.actors.values():
                    Actor(abaco, actor).send("hello", does=does)


def check(execution: Execution, kind: Kind) -> None:
    """It has ended as its kind does, and its log is its own, of one run."""
    ended, log = execution.wait(PATIENCE_S).details, execution.logs
    assert (ended["status"], ended["exit_code"]) == ("COMPLETE", kind.code), (execution, kind.does, log[:2000])
    # Not always its first line: Docker's two streams meet only in the daemon.
    assert [line for line in log.splitlines() if "hello" in line] == [f"hello {execution.id}"], (execution, kind.does)


def until(look: Callable[[], object], wanted: object) -> None:
    """Look again and again until this is seen."""
    deadline = real_monotonic() + PATIENCE_S
    while (seen := look()) != wanted:
        assert real_monotonic() < deadline, seen
        threading.Event().wait(0.02)


def until_ready(execution: Execution) -> None:
    """Until it is at work."""
    for seen in execution.watch(PATIENCE_S):
        if seen["status"] == "RUNNING" and "ready" in execution.logs:
            return
    raise AssertionError(f"{execution} was never seen at work: {execution.details}, {execution.logs}")


def plan(chance: random.Random, runner: str, length: int) -> list[Step]:
    """Each kind once at least, the others as often as they come, in any order."""
    names = [name for name, kind in KINDS.items() if runner in kind.runners]
    often = [KINDS[name].often for name in names]
    kinds = names + chance.choices(names, often, k=length - len(names))
    chance.shuffle(kinds)
    return [Step(kind, chance.choice(list(ACTORS))) for kind in kinds]


@contextmanager
def seeded() -> Iterator[random.Random]:
    """A source of chance; a failure tells how to have the same again."""
    seed = int(os.environ.get("ABACITO_TEST_SEED") or secrets.randbits(32))
    try:
        yield random.Random(seed)
    except BaseException as error:
        error.add_note(f"again: ABACITO_TEST_SEED={seed}")
        raise


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where temporary files go from now on (``tmp_path`` is not there): a short path, as sockets are made below it."""
    with tempfile.TemporaryDirectory(prefix="a") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield Path(short)


def images(emulator: Emulator, runner: str, folder: Path) -> tuple[str, str, str, str]:
    if runner == "stub":
        return emulator.stub(stub), emulator.stub(stub), "no/image", "no/image"
    for name, dockerfile in FOLDERS.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "Dockerfile").write_text(dockerfile)
        (folder / name / "actor.py").write_text(PROGRAM)
    first, second, bare, absent = (f"dir:{folder / name}" for name in FOLDERS)
    return first, second, bare, absent


@contextmanager
def soaking(runner: str, folder: Path) -> Iterator[Soak]:
    """An emulator with the shared actors, READY; it is stopped at the end."""
    # Beside stubs, processes: they refuse the images that are none, without a daemon.
    with Emulator(Settings.read(port=0, runner="docker" if runner == "docker" else "process")) as emulator:
        soak = Soak(emulator, images(emulator, runner, folder), str(folder))
        with closing(emulator.client()) as abaco:
            for name, stateless in ACTORS.items():
                soak.share(abaco, name, stateless=stateless)
            if runner == "docker":
                soak.share(abaco, "small", mem_limit="16m")
        yield soak
        emulator.check()


def descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 # its own descriptor is among them, and gone by then
        with suppress(FileNotFoundError):
            yield f"{name} is {os.readlink(f'/proc/self/fd/{name}')}"  # noqa: PTH115 # a socket's target is no path


def children() -> Iterator[str]:
    """This process's own, zombies too."""
    for task in Path("/proc/self/task").iterdir():
        yield from (task / "children").read_text().split()


def processes_with(mark: str) -> list[str]:
    """The command lines of those that have it in their environment."""
    own, found = f"SOAK={mark}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if own in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


def belongings() -> Counter[str]:
    """All that this process holds and that a stop must give back."""
    held = Counter(f"thread {thread.name}" for thread in threading.enumerate())
    held.update(f"descriptor {descriptor}" for descriptor in descriptors())
    held.update(f"child {child}" for child in children())
    return held


def containers_of(emulator: Emulator, label: str = "abacito.emulator") -> list[str]:
    """Names of its containers, or of those of them that have the label."""
    asked = ["docker", "ps", "--all", "--filter", f"label=abacito.emulator={emulator.namespace}"]
    asked += ["--filter", f"label={label}", "--format", "{{.Names}}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def left_of_executions(folder: Path, emulator: Emulator) -> list[str]:
    """What an emulator at rest still has of executions: containers, and all but one of its temporary files."""
    files = [str(path) for path in folder.glob("*/*") if path.name != "owner"]
    is_docker = emulator.runner.name == "docker"
    return files + (containers_of(emulator, "abacito.execution") if is_docker else [])


@pytest.mark.parametrize(
    ("runner", "length"), [("stub", 1000), ("process", 300), pytest.param("docker", 200, marks=pytest.mark.docker)]
)
def test_whatever_actors_do_each_execution_ends_once_and_nothing_is_left(
    runner: str, length: int, short_folder: Path, tmp_path: Path
) -> None:
    """All that an execution can do to us, by chance; a failure names its seed."""
    with soaking(runner, tmp_path):
        pass  # what is made once for a process is there from now on
    before = belongings()

    with seeded() as chance:
        with soaking(runner, tmp_path) as soak:
            with ThreadPoolExecutor(POSTERS) as posters:
                list(posters.map(soak.perform, plan(chance, runner, length)))
            soak.finish()
            until(lambda: left_of_executions(short_folder, soak.emulator), [])
            soak.leave_running()

        assert belongings() - before == Counter()
        assert list(short_folder.iterdir()) == []
        assert processes_with(soak.mark) == []
        if runner == "docker":
            assert containers_of(soak.emulator) == []
