"""The plugin, as a project's own tests use it."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from abacito.emulator import Emulator
from abacito.settings import Settings
from tests.serving import Reply, front

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(autouse=True)
def _by_processes_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tox's factors say counts; on an endpoint each test has a name of its own, and none of another's actors."""
    monkeypatch.setenv("ABACITO_RUNNER", os.environ.get("ABACITO_RUNNER", "process"))
    monkeypatch.setenv("ABACITO_EMULATOR", f"t{secrets.token_hex(3)}")


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

    pytester.runpytest_subprocess().assert_outcomes(passed=3)


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

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


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

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


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

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


FAILS = """
def test_it(abacito):
    def stub(context):
        print("\\n".join(f"line {n}" for n in range(12)))
        context.exit(3)

    execution = abacito.register(stub).send("x").wait()
    assert execution.exit_code == 0
"""


def test_a_failed_test_shows_each_execution_with_its_times_and_last_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILS)

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"-+ abacito -+",
            r"<execution \w+> of <actor \w+> \(stub/\S+\): COMPLETE, exit code 3",
            r"  received \d{4}-\S+Z, started \d{4}-\S+Z, finished \d{4}-\S+Z",
            r"  the last 10 of 12 lines of its log:",
            r"    line 2",
            r"    line 11",
        ],
        consecutive=False,
    )
    assert "line 1\n" not in result.stdout.str()


def test_what_has_not_begun_is_told_too_also_of_a_test_whose_fixture_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def greeted(abacito):
            actor = abacito.register(lambda context: context.stopping.wait(20), max_workers=1).wait()
            first, second = actor.send("x"), actor.send("y")
            for seen in first.watch(5):
                if seen["status"] == "RUNNING":
                    break
            raise ValueError("not greeted")

        def test_it(greeted):
            pass
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines([r".*: RUNNING, no exit code", r"  received \S+, not started, not finished"])
    result.stdout.fnmatch_lines(["  its log is empty"])


def test_a_test_that_passes_or_uses_no_abaco_has_no_such_section(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(abacito): print('said')\ndef test_b(): assert False")

    result = pytester.runpytest_subprocess("-rA")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_re_match_line(r"-+ abacito -+")


def test_a_marker_gives_a_test_an_emulator_of_its_own_settings_that_others_share(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        urls = set()

        @pytest.mark.abacito(case="snake")
        class TestSnake:
            @pytest.mark.parametrize("n", range(2))
            def test_names(self, abacito, abacito_emulator, n):
                actor = abacito.register(print)
                assert "create_time" in abacito.send("GET", actor.path).json()["result"]
                urls.add(abacito.url)
                assert abacito.url == abacito_emulator.url

            @pytest.mark.abacito(case="camel", log_ex=60)
            def test_the_nearer_mark_counts(self, abacito, abacito_emulator):
                actor = abacito.register(print)
                assert "createTime" in abacito.send("GET", actor.path).json()["result"]
                assert abacito_emulator.settings.log_ex == 60
                urls.add(abacito.url)

        def test_plain(abacito, abacito_server):
            urls.add(abacito.url)
            assert abacito.url == abacito_server.url
            assert len(urls) == 3
        """
    )

    pytester.runpytest_subprocess("--abacito-case=camel", "--strict-markers").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ('kase="snake"', "unknown setting 'kase'; did you mean 'case'?"),
        ('case="kebab"', "setting case = 'kebab'"),
        ('"snake"', "takes settings by their names, not ('snake',)"),
    ],
)
def test_a_marker_that_cannot_be_is_told_in_a_line(pytester: pytest.Pytester, mark: str, words: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.abacito({mark})\ndef test_it(abacito): pass")

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    assert words in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_options_and_environment_choose_runner_and_case(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        """
        def test_it(abacito, abacito_server):
            print(abacito_server.settings.case, abacito_server.runner.name)
        """
    )
    monkeypatch.setenv("ABACITO_CASE", "snake")
    monkeypatch.setenv("ABACITO_RUNNER", "process")

    assert "snake process" in pytester.runpytest_subprocess("-s").stdout.str()
    assert "camel process" in pytester.runpytest_subprocess("-s", "--abacito-case=camel").stdout.str()


ON_A_TARGET = """
import pytest

def test_an_image(abacito):
    execution = abacito.register("echo").send("hello").wait()
    assert execution.logs == "hello\\n"
    abacito.request("POST", "/actors", json={"image": "echo"})
    abacito.register("echo").delete()
    assert len(abacito.actors) == 2

def test_a_function(abacito):
    abacito.register(print)

def test_faults(abacito_faults):
    pass

def test_a_server(abacito_server):
    pass

@pytest.mark.abacito(log_ex=60)
def test_settings(abacito):
    pass

@pytest.mark.abacito(log_ex=86_400)
def test_what_it_is_anyway(abacito):
    pass

def test_a_folder(abacito):
    abacito.register("./greeter")

def test_time(abacito, abacito_clock):
    abacito_clock.travel(hours=5)
    abacito.register("echo")
"""


@pytest.fixture
def target() -> Iterator[Emulator]:
    with Emulator(Settings.read(port=0)) as emulator:
        yield emulator


def test_a_target_runs_the_same_tests_and_is_as_before_afterwards(pytester: pytest.Pytester, target: Emulator) -> None:
    """An emulator on this machine takes folders, has a clock, and gives a token unasked."""
    owner = target.client()
    mine = owner.register("echo")
    pytester.mkdir("greeter").joinpath("Dockerfile").write_text('FROM busybox\nCMD ["true"]\n')
    pytester.makepyfile(ON_A_TARGET)

    result = pytester.runpytest_subprocess(f"--abacito-target={target.url}/", "-rs")

    result.assert_outcomes(passed=4, skipped=4)
    assert [actor.id for actor in owner.actors] == [mine.id]
    assert owner.clock.now - datetime.now(UTC) < timedelta(seconds=5)
    for words in ("Python functions as actors need an emulator", "Faults need an emulator", "needs an emulator of its"):
        result.stdout.fnmatch_lines([f"*{words}*"])
    owner.close()


def test_a_failed_test_on_a_target_tells_of_its_own_executions_only(
    pytester: pytest.Pytester, target: Emulator
) -> None:
    owner = target.client()
    others = owner.register("echo").send("other").wait()
    pytester.makepyfile('def test_it(abacito): assert abacito.register("echo").send("own").wait().status == "no"')

    shown = pytester.runpytest_subprocess(f"--abacito-target={target.url}").stdout.str()

    assert "    own\n" in shown
    assert others.id not in shown
    owner.close()


@pytest.fixture
def live(target: Emulator) -> Iterator[str]:
    """What a live Abaco is to us: the emulator without its own surface."""
    with front(target.url, is_live=True) as url:
        yield url


def test_on_a_live_abaco_folders_and_time_are_skipped_with_a_sentence_too(
    pytester: pytest.Pytester, target: Emulator, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(ON_A_TARGET)
    monkeypatch.setenv("ABACITO_TARGET", live)
    without = pytester.runpytest_subprocess()
    monkeypatch.setenv("ABACITO_TOKEN", target.token)

    result = pytester.runpytest_subprocess("-rs")

    result.assert_outcomes(passed=2, skipped=6)
    for words in ("Folders as images need an emulator", "The clock can only be moved on an emulator"):
        result.stdout.fnmatch_lines([f"*{words}*"])
    assert f"{live} takes a token: give --abacito-token" in without.stdout.str()
    owner = target.client()
    assert owner.actors == []
    owner.close()


def test_what_is_left_at_the_end_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import threading
        from abacito.containers.folders import make_folder

        def test_it(abacito):
            make_folder()
            execution = abacito.register(lambda context: threading.Event().wait(60)).send("x")
            next(seen for seen in execution.watch(10) if seen["status"] == "RUNNING")
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1, warnings=1)
    left = "left after all tests: thread 'stub .*, folder /.*abacito-"
    result.stdout.re_match_lines([f".*PytestWarning: abacito: {left}"])
    strict = pytester.runpytest_subprocess("-W", "error")
    strict.assert_outcomes(passed=1, errors=1)


def test_quiet_waits_for_all_that_waits_or_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import time

        import pytest

        def test_it(abacito):
            done = []

            def slow(context):
                context.stopping.wait(0.05)
                done.append(context.message)

            abacito.quiet()
            actors = [abacito.register(slow, stateless=False) for _ in range(2)]
            for n in range(5):
                for actor in actors:
                    actor.send(str(n))
            abacito.quiet()
            assert len(done) == 10

        def test_links(abacito):
            done = []
            last = abacito.register(lambda context: done.append(1))
            first = abacito.register(lambda context: None, link=last.id)
            first.send("x")
            abacito.quiet()
            assert done == [1, 1]  # that the first is ready is an event too

        def test_a_purged_message_waits_no_more(abacito):
            actor = abacito.register(lambda context: context.stopping.wait(20), stateless=False).wait()
            first, second = actor.send("x"), actor.send("y")
            next(seen for seen in first.watch(10) if seen["status"] == "RUNNING")
            with pytest.raises(TimeoutError, match="1 waiting and 1 running"):
                abacito.quiet(within_s=0.1)
            abacito.request("DELETE", actor.path + "/messages")
            abacito.request("DELETE", first.path)
            first.wait()
            began = time.monotonic()
            abacito.quiet()
            assert time.monotonic() - began >= 1  # whether it comes yet cannot be known at once
            assert second.status == "SUBMITTED"
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_xdists_workers_do_not_meet(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(24))
        def test_alone(abacito, n):
            assert abacito.actors == []
            execution = abacito.register("echo").send(str(n)).wait(60)
            assert execution.logs == f"{n}\\n"
            assert [actor.id for actor in abacito.actors] == [execution.actor.id]
        """
    )

    result = pytester.runpytest_subprocess("-n4", "-W", "error")

    result.assert_outcomes(passed=24)


def test_a_public_name_costs_nothing_before_it_is_asked_for() -> None:
    code = "import sys, abacito; print(len(sys.modules)); print(sorted(abacito.__all__)); print(abacito.Abaco.__name__)"
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert int(plain[0]) < 100
    assert {"Abaco", "Emulator", "Settings"} <= set(json.loads(plain[1].replace("'", '"')))
    assert plain[2] == "Abaco"


ON_BOTH = """
import pytest

def test_an_image(abacito):
    execution = abacito.register("abacosamples/test").send("hello").wait()
    assert "Contents of MSG: hello" in execution.logs

def test_a_function(abacito):
    abacito.register(print)

def test_a_server(abacito, abacito_server):
    assert abacito.url == abacito_server.url

@pytest.mark.abacito(log_ex=60)
def test_settings(abacito):
    pass

def test_none():
    pass
"""


def test_for_parity_a_test_runs_here_and_there(pytester: pytest.Pytester, target: Emulator) -> None:
    pytester.makepyfile(ON_BOTH)

    result = pytester.runpytest_subprocess("--abacito-runner=process", f"--abacito-parity={target.url}", "-v", "-rs")

    result.assert_outcomes(passed=6, skipped=3)
    for words in ("test_an_image[[]here] PASSED*", "test_an_image[[]there] PASSED*", "test_none PASSED*"):
        result.stdout.fnmatch_lines([f"*{words}"])
    for words in (
        "Python functions as actors need",
        "This needs an emulator of its own; ",
        "an emulator with log_ex=60;",
    ):
        result.stdout.fnmatch_lines([f"*{words}*"])


def test_for_parity_a_test_fails_on_the_side_where_it_fails(pytester: pytest.Pytester, target: Emulator) -> None:
    def without_owner(line: str, reply: Reply) -> None:
        if line == "POST /actors/v2":
            reply.json = {**reply.json, "result": {**reply.json["result"], "owner": ""}}

    pytester.makepyfile(
        'def test_it(abacito): assert abacito.request("POST", "/actors/v2", json={"image": "x"})["owner"]'
    )

    with front(target.url, without_owner) as url:
        result = pytester.runpytest_subprocess("--abacito-runner=process", f"--abacito-parity={url}", "-rA")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["PASSED *test_it[[]here]", "FAILED *test_it[[]there]*"])


STORY = "title: told twice\nsteps:\n  - get: /actors/v2\n"


@pytest.fixture
def told_twice(pytester: pytest.Pytester) -> Path:
    pytester.makeini("[pytest]\nabacito_scenarios = stories\n")
    folder = pytester.mkdir("stories")
    folder.joinpath("one.yaml").write_text(STORY)
    folder.joinpath("two.yaml").write_text(STORY.replace("/actors/v2", "/_abacito/health"))
    return folder


def other_words(line: str, reply: Reply) -> None:
    if line == "GET /actors/v2":
        reply.json = {**reply.json, "message": "Here they are."}


def test_for_parity_a_story_is_one_test_that_fails_with_what_differs(
    pytester: pytest.Pytester, target: Emulator, told_twice: Path
) -> None:
    options = ["--abacito-runner=process", f"--abacito-token={target.token}", "-rs"]

    with front(target.url, other_words, is_live=True) as url:
        differs = pytester.runpytest_subprocess(told_twice, f"--abacito-parity={url}", *options)
    same = pytester.runpytest_subprocess(told_twice, f"--abacito-parity={target.url}", *options)

    same.assert_outcomes(passed=2)
    differs.assert_outcomes(failed=1, skipped=1)
    differs.stdout.fnmatch_lines(
        ["*one.yaml:3: step 1: GET /actors/v2", "*message", '*ours   "Actors retrieved *"', '*theirs "Here they are."']
    )
    differs.stdout.fnmatch_lines(["*This story needs an emulator there: line 3 has '/_abacito/health'*"])


def test_for_parity_known_gaps_pass_and_those_no_longer_seen_are_warned_of(
    pytester: pytest.Pytester, target: Emulator, told_twice: Path
) -> None:
    known = "gaps:\n  - {path: message, reason: they have words of their own}\n"
    told_twice.joinpath("parity-gaps.yaml").write_text(known)

    with front(target.url, other_words) as url:
        seen = pytester.runpytest_subprocess(told_twice, f"--abacito-parity={url}", "--abacito-runner=process", "-rP")
    unseen = pytester.runpytest_subprocess(told_twice, f"--abacito-parity={target.url}", "--abacito-runner=process")

    seen.assert_outcomes(passed=2)
    seen.stdout.fnmatch_lines(["*known gap: they have words of their own"])
    unseen.assert_outcomes(passed=2, warnings=1)
    unseen.stdout.fnmatch_lines(["*gap no longer seen: *parity-gaps.yaml:2: message: they have words of their own*"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--abacito-parity=http://127.0.0.1:9", "--abacito-token=t"), "no answer from http://127.0.0.1:9"),
        (
            ("--abacito-parity=http://127.0.0.1:9", "--abacito-target=http://127.0.0.1:9"),
            "there is no --abacito-target",
        ),
        (("--abacito-parity=http://127.0.0.1:9", "--abacito-user-token=jane"), "--abacito-user-token takes USER=TOKEN"),
    ],
)
def test_for_parity_what_cannot_be_is_told_in_a_line(
    pytester: pytest.Pytester, told_twice: Path, options: tuple[str, ...], words: str
) -> None:
    result = pytester.runpytest_subprocess(told_twice / "one.yaml", "--abacito-runner=process", *options)

    assert result.ret != 0
    assert words in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
