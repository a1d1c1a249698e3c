"""``abacito scenario``: stories in YAML, played on a fresh emulator or on a live Abaco."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abacito.cli import exits
from abacito.cli.options import emulator_options, tell
from abacito.cli.record import record
from abacito.cli.signals import term_like_interrupt

if TYPE_CHECKING:
    from abacito.scenario.play import Outcome
    from abacito.scenario.story import Story

_files = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path)
)


@click.group(epilog=exits.HELP)
def scenario() -> None:
    """Play, check and record stories: requests to Abaco, and what should come of them, in YAML."""


scenario.add_command(record)


@scenario.command(
    epilog="Examples: abacito scenario run scenarios/lecture.yaml · abacito scenario run stories/ -x · "
    "abacito scenario run stories/ -k nonce --tag refusals -n 4 --junit stories.xml · "
    f"abacito scenario run story.yaml --target https://api.tacc.utexas.edu --token $TOKEN\n\n{exits.HELP}"
)
@_files
@click.option(
    "--target", metavar="URL", envvar="ABACITO_TARGET", help="Play on this Abaco, not on an emulator of our own."
)
@click.option("--token", metavar="T", envvar="ABACITO_TOKEN", help="The token for --target.")
@click.option("--user-token", "user_tokens", multiple=True, metavar="USER=T", help="A token for steps `as: USER`.")
@click.option(
    "-k", "words", multiple=True, metavar="WORD", help="Only stories with it in title, tags or path; repeated: any."
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only stories that have this tag; repeated: any.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first story that fails.")
@click.option("-n", "at_once", type=click.IntRange(min=1), default=1, metavar="N", help="Play so many at once.  [1]")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML to this file."
)
@emulator_options
def run(
    files: tuple[Path, ...],
    target: str | None,
    token: str | None,
    user_tokens: tuple[str, ...],
    words: tuple[str, ...],
    tags: tuple[str, ...],
    exitfirst: bool,
    at_once: int,
    junit: Path | None,
    verbose: int,
    **given: Any,
) -> None:
    """Play the stories in FILE... (a folder: all in it), each on a fresh emulator; every step is shown as it ends.

    With -v answers and logs are shown in full. With -n each story is shown when it and those before it have ended.
    """
    from abacito.cli.plays import Stage, play_all
    from abacito.cli.transcript import Transcript

    _check_usage(target, user_tokens, given)
    tell(verbose)
    term_like_interrupt()
    stage = Stage(target, token, dict(_user_token(pair) for pair in user_tokens), given)
    stories = _selected(_load(files), words, tags)
    outcomes = play_all(stories, stage, Transcript(is_full=verbose > 0), at_once=at_once, exitfirst=exitfirst)
    if junit is not None:
        _report(junit, stories, outcomes)
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


@scenario.command(epilog=f"Example: abacito scenario schema > story.schema.json\n\n{exits.HELP}")
def schema() -> None:
    """Print the JSON schema of a story, by which editors complete and check it."""
    from abacito.scenario.story import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


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


def _selected(stories: list[Story], words: tuple[str, ...], tags: tuple[str, ...]) -> list[Story]:
    """Those that have one of the words, if any is given, and one of the tags; in words capitals do not count."""
    found = [story for story in stories if _has_any(story, words) and (not tags or set(tags) & set(story.tags))]
    if not found:
        asked = [f"-k {word}" for word in words] + [f"--tag {tag}" for tag in tags]
        raise click.UsageError(f"none of {len(stories)} stories is selected by {' '.join(asked)}")
    return found


def _has_any(story: Story, words: tuple[str, ...]) -> bool:
    places = [place.casefold() for place in (story.title, story.file, *story.tags)]
    return not words or any(word.casefold() in place for word in words for place in places)


def _report(file: Path, stories: list[Story], outcomes: list[Outcome]) -> None:
    from abacito.abaco.errors import Misconfigured
    from abacito.cli import junit

    try:
        junit.write(file, stories, outcomes)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error}") from error


def _sum_up(outcomes: list[Outcome], stories: int) -> int:
    failed = [outcome for outcome in outcomes if outcome.failure]
    elapsed_s = sum(outcome.elapsed_s for outcome in outcomes)
    words = f"{len(outcomes) - len(failed)} of {stories} stories passed, {len(failed)} failed, {elapsed_s:.1f} s"
    click.echo(words, err=True)
    return exits.FAILED if failed else exits.DONE
