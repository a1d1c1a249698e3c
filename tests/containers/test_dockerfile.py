from __future__ import annotations

import signal
from pathlib import Path

import pytest

from abacito.abaco.errors import ImageUnavailable
from abacito.containers.dockerfile import Copy, Dockerfile, parse, read


def parsed(*lines: str) -> Dockerfile:
    return parse("\n".join(["FROM base", *lines]), {"PATH": "/bin"})


def test_an_argument_before_from_names_the_base() -> None:
    assert parse("ARG BASE=python:3.11\nfrom ${BASE} AS it\n", {}).base == "python:3.11"


def test_an_argument_of_the_top_is_known_below_only_when_asked_for() -> None:
    image = parse("ARG V=1\nFROM x\nENV A=$V\nARG V\nENV B=$V\n", {})

    assert image.environment == {"A": "", "B": "1"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ENV A=plain", "plain"),
        ('ENV A="two words"', "two words"),
        ("ENV A=two\\ words", "two words"),
        ("ENV A the old form", "the old form"),
        ("ENV A='$B'", "$B"),
        ('ENV A="$B"', "b"),
        ('ENV A="\\$B"', "$B"),
        ("ENV A=${B}c", "bc"),
        ("ENV A=${NONE:-other}", "other"),
        ("ENV A=${B:-other}", "b"),
        ("ENV A=${B:+other}", "other"),
        ("ENV A=$NONE", ""),
        ('ENV A="it\'s" C="that\'s"', "it's"),
        ("ENV A=x=y", "x=y"),
    ],
)
def test_a_variable_is_read_as_docker_reads_it(line: str, value: str) -> None:
    assert parsed("ENV B=b", line).environment["A"] == value


def test_variables_of_one_line_do_not_see_each_other() -> None:
    assert parsed("ENV A=1", "ENV A=2 B=$A").environment["B"] == "1"


def test_a_path_is_added_to_the_bases_own() -> None:
    assert parsed("ENV PATH=/opt/bin:$PATH").environment["PATH"] == "/opt/bin:/bin"


def test_a_line_goes_on_over_a_comment_and_a_blank_line() -> None:
    image = parsed("ENV A=1 \\", "# why", "", "  B=2")

    assert (image.environment["A"], image.environment["B"]) == ("1", "2")


def test_working_directories_add_up() -> None:
    assert parsed("WORKDIR /a", "WORKDIR b/../c").workdir == "/a/c"


@pytest.mark.parametrize(
    ("line", "copy"),
    [
        ("COPY a.py /a.py", Copy(("a.py",), "/a.py")),
        ("COPY a.py .", Copy(("a.py",), "/w/")),
        ("COPY a.py b.py lib/", Copy(("a.py", "b.py"), "/w/lib/")),
        ('COPY ["a b.py", "/x/"]', Copy(("a b.py",), "/x/")),
        ("COPY --chown=1:1 --chmod=755 a /a", Copy(("a",), "/a", 0o755)),
        ("ADD a /a", Copy(("a",), "/a")),
    ],
)
def test_a_copy_is_resolved_against_the_working_directory(line: str, copy: Copy) -> None:
    assert parsed("WORKDIR /w", line).copies == (copy,)


def test_the_command_follows_the_entrypoint() -> None:
    image = parsed('CMD ["b", "c"]', 'ENTRYPOINT ["a"]')

    assert image.argv == ("a", "b", "c")


def test_a_command_in_words_is_the_shells_with_nothing_replaced() -> None:
    assert parsed("CMD echo $HOME").argv == ("/bin/sh", "-c", "echo $HOME")


def test_another_shell_takes_the_commands_after_it() -> None:
    assert parsed('SHELL ["bash", "-ec"]', "CMD echo").argv == ("bash", "-ec", "echo")


def test_what_run_would_do_is_listed() -> None:
    assert parsed("RUN pip install x", "RUN make").skipped == ("pip install x", "make")


def test_only_the_last_stage_counts() -> None:
    image = parsed("ENV A=1", 'CMD ["a"]', "FROM other", 'CMD ["b"]')

    assert (image.base, image.argv, "A" in image.environment) == ("other", ("b",), False)


@pytest.mark.parametrize("name", ["INT", "SIGINT", "2"])
def test_the_stop_signal_is_known_by_name_and_number(name: str) -> None:
    assert parsed(f"STOPSIGNAL {name}").stop_signal == signal.SIGINT


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("FETCH x", "FETCH"),
        ("COPY --from=build /a /a", "--from"),
        ("ADD https://example.org/a /a", "remote"),
        ("ADD a.tar.gz /a", "archive"),
        ("COPY <<EOF /a", "here-document"),
        ("COPY a", "target"),
        ("ENV A", "value"),
        ("STOPSIGNAL LOUD", "signal"),
    ],
)
def test_what_needs_docker_or_is_wrong_is_refused_with_its_line(line: str, words: str) -> None:
    with pytest.raises(ImageUnavailable, match=rf"line 2.*{words}"):
        parsed(line)


@pytest.mark.parametrize(("text", "words"), [("", "no FROM"), ("RUN x", "before FROM"), ("FROM ${NONE}", "no image")])
def test_a_file_without_a_base_is_refused(text: str, words: str) -> None:
    with pytest.raises(ImageUnavailable, match=words):
        parse(text, {})


def test_a_folder_without_a_dockerfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match=str(tmp_path)):
        read(tmp_path, {})
