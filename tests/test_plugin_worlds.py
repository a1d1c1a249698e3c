"""Worlds, functions under an image's name and faults by their kind, as a project's tests use them."""

from __future__ import annotations

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings

SEEDED = """
    import pytest

    def count(context):
        print("counted", context.message)

    @pytest.fixture(scope="session")
    def world(abacito_server):
        client = abacito_server.client()
        for number in range(3):
            client.register(count, name=f"actor{number}").send("seed").wait()
        yield abacito_server.snapshot()
        client.close()

    @pytest.fixture
    def abacito(abacito, world):
        abacito.restore(world)
        return abacito
"""


def test_each_test_starts_from_the_same_seeded_world(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SEEDED)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(abacito, n):
            assert [len(actor.executions) for actor in abacito.actors] == [1, 1, 1]
            abacito.actors[0].delete()
            assert abacito.actors[1].send(str(n)).wait().logs == f"counted {n}\\n"
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=4)


def test_a_world_is_seeded_once_on_each_of_several_workers(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SEEDED)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(8))
        def test_it(abacito, n):
            assert len(abacito.actors) == 3
            abacito.register("echo")
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process", "-n", "4").assert_outcomes(passed=8)


def test_a_function_may_have_an_images_name_and_a_fault_be_named_by_its_kind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from abacito import AbacoError

        def test_stub(abacito):
            image = abacito.stub("abacosamples/test", lambda context: print("mine", context.message))
            assert image == "abacosamples/test"
            assert abacito.register(image).send("x").wait().logs == "mine x\\n"

        def test_fault(abacito):
            actor = abacito.register(lambda context: context.stopping.wait(10))
            fault = abacito.fault("killed", actor=actor, after_s=0.1)
            assert (actor.send("x").wait().exit_code, fault.struck) == (137, 1)

        def test_no_such_fault(abacito):
            with pytest.raises(AbacoError, match="explodes"):
                abacito.fault("explodes")
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=3)


def test_on_a_target_worlds_and_functions_are_skipped_with_a_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_snapshot(abacito): abacito.snapshot()
        def test_restore(abacito): abacito.restore("file")
        def test_pause(abacito): abacito.pause()
        def test_stub(abacito): abacito.stub("image", print)
        def test_is_not_known_to_be_paused(abacito): assert not abacito.is_paused
        """
    )
    with Emulator(Settings.read(port=0, runner="process")) as target:
        result = pytester.runpytest_subprocess(f"--abacito-target={target.url}", "-rs")

    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(["*Snapshots and pauses need an emulator of the tests' own;*serves others too.*"])


def test_where_no_emulator_is_at_hand_it_is_said_what_is_needed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from abacito import Abaco, AbacoError

        def test_it():
            abaco = Abaco("http://127.0.0.1:1", "token")
            for call in (abaco.snapshot, lambda: abaco.restore("f"), abaco.pause, abaco.resume):
                with pytest.raises(AbacoError, match="had of an emulator in this process only"):
                    call()
            with pytest.raises(AbacoError, match="can only be registered with an emulator of our own"):
                abaco.stub("image", print)
            with pytest.raises(AbacoError, match="there is no client 'curl' to be had: agavepy, tapispy, tapipy are"):
                abaco.client("curl")
            with pytest.raises(AbacoError, match="agavepy cannot be imported .*: pip install agavepy"):
                abaco.client("agavepy")
            abaco.close()
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
