"""The plugin, as a project's own tests use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def readme_example() -> str:
    """The README's pytest example, to the letter."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    return next(block for block in blocks if "def test_" in block)


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_readmes_example_passes_as_it_stands(pytester: pytest.Pytester, runner: str) -> None:
    pytester.makepyfile(readme_example())

    result = pytester.runpytest_subprocess(f"--abacito-runner={runner}", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


def test_each_test_starts_with_an_empty_abaco(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        def test_nothing_is_left(abacito, n):
            assert abacito.request("GET", "/actors") == []
            actor = abacito.register(lambda context: print("got", context.message))
            assert actor.send(str(n)).wait().logs == f"got {n}\\n"
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=3)


def test_a_project_overrides_the_settings(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from abacito import Settings

        @pytest.fixture(scope="session")
        def abacito_settings():
            return Settings.read(port=0, runner="process", case="snake")
        """
    )
    pytester.makepyfile(
        """
        def test_snake(abacito, abacito_server):
            actor = abacito.register(print)
            assert "create_time" in abacito.send("GET", actor.path).json()["result"]
            assert abacito_server.url == abacito.url
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_wait_in_vain_tells_the_status_and_the_last_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_late(abacito):
            def slow(context):
                print("about to wait", flush=True)
                context.stopping.wait(20)

            execution = abacito.register(slow).wait().send("x")
            for _ in execution.watch(5):
                if "about" in execution.logs:
                    break
            with pytest.raises(TimeoutError, match="(?s)still RUNNING after 0.1 s.*READY.*about to wait"):
                execution.wait(within_s=0.1)
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=1)


def test_collecting_starts_and_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            heavy = {"flask", "boto3", "moto", "docker", "pydantic", "requests", "abacito.emulator"}
            assert heavy & set(sys.modules) == set()
        """
    )

    pytester.runpytest_subprocess("-p", "no:schemathesis").assert_outcomes(passed=1)


def test_a_users_own_mock_aws_is_untouched(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import boto3
        from moto import mock_aws

        @mock_aws
        def test_both(abacito):
            sqs = boto3.client("sqs", region_name="us-east-1")
            sqs.create_queue(QueueName="theirs")
            actor = abacito.register(lambda context: print("ran"))
            assert actor.send("x").wait().logs == "ran\\n"
            assert [url.rsplit("/", 1)[-1] for url in sqs.list_queues()["QueueUrls"]] == ["theirs"]
            assert boto3.client("dynamodb", region_name="us-east-1").list_tables()["TableNames"] == []
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=1)


def test_it_works_under_frozen_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from freezegun import freeze_time

        def test_frozen(abacito_server):
            with freeze_time("2031-01-01"):
                abacito = abacito_server.client()
                execution = abacito.register(lambda context: print("ran")).send("x").wait()
                assert execution.logs == "ran\\n"
                assert execution.details["message_received_time"] == "2031-01-01T00:00:00.000Z"
            abacito.close()
        """
    )

    pytester.runpytest_subprocess("--abacito-runner=process").assert_outcomes(passed=1)
