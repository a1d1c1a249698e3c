from __future__ import annotations

import asyncio
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from abacito.abaco.container import ContainerEnd, ContainerSpec
from abacito.abaco.errors import ContainerGone, ImageUnavailable
from abacito.abaco.ports import Container
from abacito.containers.stub import Context, StubRunner

ENDS_WITHIN_S = 10

Run = Callable[..., tuple[ContainerEnd, str, list[bytes]]]


@pytest.fixture
def runner() -> Iterator[StubRunner]:
    runner = StubRunner()
    yield runner
    runner.close()


@pytest.fixture
def run(runner: StubRunner) -> Run:
    def run(function: Callable[[Context], object], **changes: Any) -> tuple[ContainerEnd, str, list[bytes]]:
        results: list[bytes] = []
        container = begun(runner, function, results.append, **changes)
        return end_of(container), container.log(), results

    return run


def begun(
    runner: StubRunner, function: Callable[[Context], object], on_result: Callable[[bytes], None], **changes: Any
) -> Container:
    runner.register("stub", function)
    container = runner.create(ContainerSpec(**{"name": "s", "image": "stub", "environment": {}, **changes}), on_result)
    container.start()
    return container


def end_of(container: Container) -> ContainerEnd:
    end = container.wait(ENDS_WITHIN_S)
    assert end is not None
    return end


def test_a_value_that_is_returned_is_no_exit_code(run: Run) -> None:
    assert run(lambda context: 3)[0].exit_code == 0


@pytest.mark.parametrize(
    ("code", "shown", "printed"), [(3, 3, ""), (None, 0, ""), (256 + 7, 7, ""), (-1, 255, ""), ("why", 1, "why\n")]
)
def test_sys_exit_means_what_it_means_to_python(run: Run, code: Any, shown: int, printed: str) -> None:
    end, log, _ = run(lambda context: sys.exit(code))

    assert (end.exit_code, log) == (shown, printed)


def test_an_exception_is_code_1_with_its_traceback_in_the_log(run: Run) -> None:
    def fails(context: Context) -> None:
        raise ValueError("no such thing")

    end, log, _ = run(fails)

    assert end.exit_code == 1
    assert log.startswith("Traceback")
    assert log.endswith("ValueError: no such thing\n")


def test_an_async_function_is_run_to_its_end_and_its_tasks_print_to_its_log(run: Run) -> None:
    async def later(context: Context) -> None:
        await asyncio.to_thread(print, "from a thread of asyncio's")
        print("done")

    assert run(later)[1] == "from a thread of asyncio's\ndone\n"


def test_what_others_print_meanwhile_goes_where_it_always_went(
    runner: StubRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    printed, go_on = threading.Event(), threading.Event()

    def speaks(context: Context) -> None:
        print("mine")
        printed.set()
        go_on.wait(ENDS_WITHIN_S)

    container = begun(runner, speaks, lambda result: None)
    assert printed.wait(ENDS_WITHIN_S)
    print("the test's")
    go_on.set()
    end_of(container)

    assert (container.log(), capsys.readouterr().out) == ("mine\n", "the test's\n")


def test_the_processs_streams_are_its_own_again_afterwards(runner: StubRunner) -> None:
    before = sys.stdout, sys.stderr

    container = begun(runner, lambda context: print("x"), lambda result: None)
    end_of(container)
    runner.close()

    assert (sys.stdout, sys.stderr) == before


def test_a_stub_sees_its_message_its_variables_and_its_state(run: Run) -> None:
    variables = {"MSG": "hi", "_abaco_actor_state": "{'a': True}", "GONE": None}

    _, log, _ = run(lambda context: print(context.message, context.environment, context.state), environment=variables)

    assert log == "hi {'MSG': 'hi', '_abaco_actor_state': \"{'a': True}\"} {'a': True}\n"


@pytest.mark.parametrize(("state", "value"), [("{}", {}), ("just text", "just text"), ("[1", "[1"), ("5", 5)])
def test_a_state_is_a_value_where_it_reads_as_one(run: Run, state: str, value: object) -> None:
    seen = []

    run(lambda context: seen.append(context.state), environment={"_abaco_actor_state": state})

    assert seen == [value]


def test_a_binary_message_is_bytes_and_none_is_none(run: Run, runner: StubRunner) -> None:
    seen = []

    run(lambda context: seen.append(context.message), binary=b"\xff")
    runner.clear()
    run(lambda context: seen.append(context.message))

    assert seen == [b"\xff", None]


def test_results_are_bytes_utf8_or_pickled(run: Run) -> None:
    def sends(context: Context) -> None:
        for result in (b"raw", "é", {"n": 1}, b""):
            context.send_result(result)

    assert run(sends)[2] == [b"raw", "é".encode(), pickle.dumps({"n": 1})]


def test_a_result_too_long_for_a_datagram_fails_in_the_stub(run: Run) -> None:
    end, log, results = run(lambda context: context.send_result(bytes(212_961)))

    assert (end.exit_code, results) == (1, [])
    assert "Message too long" in log


def test_a_taker_of_results_that_fails_is_told_by_wait(runner: StubRunner) -> None:
    def refuse(result: bytes) -> None:
        raise LookupError("no store")

    container = begun(runner, lambda context: context.send_result(b"x"), refuse)

    with pytest.raises(LookupError, match="no store"):
        container.wait(ENDS_WITHIN_S)
    assert end_of(container).exit_code == 0


def test_what_a_killed_stub_still_prints_and_sends_is_dropped(runner: StubRunner) -> None:
    running, go_on, over = threading.Event(), threading.Event(), threading.Event()
    results: list[bytes] = []

    def deaf(context: Context) -> None:
        running.set()
        try:
            while not go_on.wait(0.01):
                pass
        except BaseException:  # noqa: BLE001 # also deaf to the interruption: what is left is that it is not heard
            go_on.wait(ENDS_WITHIN_S)
        try:
            print("late")
            context.send_result(b"late")
        finally:
            over.set()

    container = begun(runner, deaf, results.append)
    assert running.wait(ENDS_WITHIN_S)
    container.stop(grace_s=0.01)
    end = end_of(container)
    go_on.set()
    assert over.wait(ENDS_WITHIN_S)

    assert (end.exit_code, container.log(), results) == (137, "", [])


def test_a_busy_loop_leaves_no_thread_behind(runner: StubRunner) -> None:
    running = threading.Event()

    def loops(context: Context) -> None:
        running.set()
        while True:
            pass

    begun(runner, loops, lambda result: None)
    assert running.wait(ENDS_WITHIN_S)

    runner.close()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stub ")]


def test_a_name_without_a_tag_is_latest(runner: StubRunner) -> None:
    runner.register("host:5000/a", lambda context: None)

    assert runner.has("host:5000/a:latest")
    assert not runner.has("host:5000/a:2")


def test_clearing_forgets_functions_and_executions(runner: StubRunner) -> None:
    container = begun(runner, lambda context: context.stopping.wait(ENDS_WITHIN_S), lambda result: None)

    runner.clear()

    with pytest.raises(ContainerGone):
        container.wait(0)
    with pytest.raises(ImageUnavailable, match="stub"):
        runner.prepare("stub")
