"""``abacito scenario``: stories in YAML, played on a fresh emulator or on a live Abaco."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abacito.cli import exits
from abacito.cli.options import emulator_options, tell
from abacito.cli.signals import term_like_interrupt

if TYPE_CHECKING:
    from rich.console import Console

    from abacito.scenario.ask import Target
    from abacito.scenario.play import Outcome, StepReport
    from abacito.scenario.story import Story

ANSWER_WIDTH = 160  # characters of an answer that are shown without -v
LOG_LINES = 40  # likewise, of a container's log

_files = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path)
)


@click.group(epilog=exits.HELP)
def scenario() -> None:
    """Play stories: requests to Abaco, and what should come of them, in YAML."""


@scenario.command(
    epilog="Examples: abacito scenario run scenarios/lecture.yaml · abacito scenario run stories/ -x · "
    f"abacito scenario run story.yaml --target https://api.tacc.utexas.edu --token $TOKEN\n\n{exits.HELP}"
)
@_files
@click.option(
    "--target", metavar="URL", envvar="ABACITO_TARGET", help="Play on this Abaco, not on an emulator of our own."
)
@click.option("--token", metavar="T", envvar="ABACITO_TOKEN", help="The token for --target.")
@click.option("--user-token", "user_tokens", multiple=True, metavar="USER=T", help="A token for steps `as: USER`.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first story that fails.")
@emulator_options
def run(
    files: tuple[Path, ...],
    target: str | None,
    token: str | None,
    user_tokens: tuple[str, ...],
    exitfirst: bool,
    verbose: int,
    **given: Any,
) -> None:
    """Play the stories in FILE... (a folder: all in it), each on a fresh emulator; every step is shown as it ends.

    With -v answers and logs are shown in full.
    """
    _check_usage(target, user_tokens, given)
    tell(verbose)
    term_like_interrupt()
    tokens = dict(_user_token(pair) for pair in user_tokens)
    stories = _load(files)
    transcript = _Transcript(is_full=verbose > 0)
    outcomes: list[Outcome] = []
    for story in stories:
        with _target(target, token, tokens, given, is_first=not outcomes) as at:
            outcomes.append(transcript.play(story, at))
        if exitfirst and outcomes[-1].failure:
            break
    raise SystemExit(_sum_up(outcomes, len(stories)))


@scenario.command(epilog=f"Example: abacito scenario check scenarios/\n\n{exits.HELP}")
@_files
def check(files: tuple[Path, ...]) -> None:
    """Read the stories in FILE... (a folder: all in it) and tell every one that is wrong; nothing is played."""
    from abacito.abaco.errors import Misconfigured
    from abacito.scenario.story import load

    wrong = 0
    for path in _paths(files):
        try:
            story = load(path)
        except Misconfigured as error:
            wrong += 1
            click.echo(f"abacito: {error}", err=True)
        else:
            click.echo(f"{path}: {story.title} ({len(story.steps)} steps)")
    raise SystemExit(exits.USAGE if wrong else exits.DONE)


def _check_usage(target: str | None, user_tokens: tuple[str, ...], given: dict[str, Any]) -> None:
    is_typed = click.get_current_context().get_parameter_source("token") is ParameterSource.COMMANDLINE
    if target is None and (is_typed or user_tokens):
        raise click.UsageError("--token and --user-token are for --target: our own emulator's are known")
    ours = [name for name, value in given.items() if value is not None and name != "case"]
    if target is not None and ours:
        raise click.UsageError(f"--{ours[0].replace('_', '-')} is for our own emulator, not for --target")


def _user_token(pair: str) -> tuple[str, str]:
    user, equals, token = pair.partition("=")
    if not user or not equals:
        raise click.BadParameter(f"{pair!r} is not USER=TOKEN", param_hint="--user-token")
    return user, token


def _paths(files: tuple[Path, ...]) -> list[Path]:
    found = [path for file in files for path in (sorted(file.rglob("*.yaml")) if file.is_dir() else [file])]
    if not found:
        raise click.UsageError(f"no *.yaml in {', '.join(map(str, files))}")
    return found


def _load(files: tuple[Path, ...]) -> list[Story]:
    """All stories, before the first is played: a slip in the last should not cost a run."""
    from abacito.scenario.story import load

    return [load(path) for path in _paths(files)]


@contextmanager
def _target(
    url: str | None, token: str | None, user_tokens: dict[str, str], given: dict[str, Any], is_first: bool
) -> Iterator[Target]:
    from abacito.scenario.ask import Target

    if url is not None:
        yield Target(url, token, user_tokens, given["case"])
        return
    from abacito.emulator import Emulator
    from abacito.settings import Settings

    settings = Settings.read(port=0, **given)
    with Emulator(settings) as emulator:
        if is_first:
            click.echo(f"runner: {emulator.runner.name}", err=True)
        tokens = {user.username: emulator.token_for(user.username, user.tenant) for user in emulator.users}
        yield Target(emulator.url, emulator.token, tokens, settings.case)


def _sum_up(outcomes: list[Outcome], stories: int) -> int:
    failed = [outcome for outcome in outcomes if outcome.failure]
    elapsed_s = sum(outcome.elapsed_s for outcome in outcomes)
    words = f"{len(outcomes) - len(failed)} of {stories} stories passed, {len(failed)} failed, {elapsed_s:.1f} s"
    click.echo(words, err=True)
    return exits.FAILED if failed else exits.DONE


class _Transcript:
    """What is played, on stdout: styled on a terminal, unless NO_COLOR is set."""

    def __init__(self, is_full: bool) -> None:
        from rich.console import Console

        self._console: Console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._is_full = is_full

    def play(self, story: Story, target: Target) -> Outcome:
        """Play it and show it."""
        from abacito.scenario.play import play

        self._print(f"{story.title} ({story.file})", "bold")
        return play(story, target, self._step)

    def _step(self, report: StepReport) -> None:
        number = f"{report.number:>4}  " if report.number else "      "
        if report.note:
            self._print(number + report.note, "cyan")
            number = "      "
        if report.request:
            self._print(f"{number}{report.request}")
            self._exchange(report)
        if report.failure:
            self._print(str(report.failure), "red")

    def _exchange(self, report: StepReport) -> None:
        if report.body:
            self._print(f"      > {self._cut(report.body)}")
        style = "green" if (report.status_code or 0) < 400 else "yellow"
        self._print(f"      {report.status_code} after {report.elapsed_s:.2f} s", style)
        for line in self._answer(report.answer).splitlines():
            self._print(f"      < {line}", "dim")
        for line in self._log(report.logs):
            self._print(f"      | {line}")

    def _answer(self, answer: Any) -> str:
        if isinstance(answer, str):
            return self._cut(answer)
        if self._is_full:
            return json.dumps(answer, indent=2, ensure_ascii=False)
        result = answer.get("result", answer) if isinstance(answer, dict) else answer
        message = f"{answer['message']} " if isinstance(answer, dict) and "message" in answer else ""
        return message + self._cut(json.dumps(result, ensure_ascii=False))

    def _log(self, logs: str | None) -> list[str]:
        lines = (logs or "").splitlines()
        if self._is_full or len(lines) <= LOG_LINES:
            return lines
        return [f"… {len(lines) - LOG_LINES} lines before (-v shows them)", *lines[-LOG_LINES:]]

    def _cut(self, text: str) -> str:
        return text if self._is_full or len(text) <= ANSWER_WIDTH else f"{text[:ANSWER_WIDTH]} …"

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(text, style=None if self._console.no_color else style)
