"""Stories on their stages: an emulator for each or one target for all, in turn or several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from abacito.abaco.time import RealPace
from abacito.cli.transcript import Transcript
from abacito.scenario.ask import Target
from abacito.scenario.play import Outcome
from abacito.scenario.story import Story
from abacito.scenario.users import check_users, settings_for

if TYPE_CHECKING:
    from abacito.abaco.ports import Pace

Played = TypeVar("Played")


@dataclass(frozen=True)
class Stage:
    """Where stories are played: on ``url``, or without one each on an emulator of its own, set up as ``given``."""

    url: str | None
    token: str | None
    user_tokens: Mapping[str, str]
    given: Mapping[str, Any]
    _untold: Iterator[bool] = field(default_factory=lambda: iter([True]))

    def check(self, stories: Sequence[Story]) -> None:
        """Raises Misconfigured when one of them needs a user whose token is not had; nothing is played then."""
        if self.url is not None:
            for story in stories:
                check_users(story, self.user_tokens)

    @contextmanager
    def open(self, story: Story) -> Iterator[Target]:
        """The story's target, with its users. Tells on stderr, once, which runner an emulator of ours has found."""
        if self.url is not None:
            yield Target(self.url, self.token, self.user_tokens, self.given["case"])
            return
        from abacito.emulator import Emulator  # heavy, and not for a target elsewhere
        from abacito.settings import Settings

        settings = settings_for(story, Settings.read(port=0, **self.given))
        with Emulator(settings) as emulator:
            if next(self._untold, False):
                click.echo(f"runner: {emulator.runner.name}", err=True)
            yield Target.of(emulator)


def play_all(
    stories: Sequence[Story], stage: Stage, transcript: Transcript, *, at_once: int, exitfirst: bool
) -> list[Outcome]:
    """What came of the stories, in their order; with ``exitfirst`` the first that fails is the last.

    Raises Misconfigured, before the first, when one of them needs what the stage does not have.
    """
    stage.check(stories)
    played = _in_turn(stories, stage, transcript)
    if at_once > 1:
        played = _side_by_side(stories, stage, transcript, at_once)
    outcomes: list[Outcome] = []
    with closing(played):
        for outcome in played:
            outcomes.append(outcome)
            if exitfirst and outcome.failure:
                break
    return outcomes


def _in_turn(stories: Sequence[Story], stage: Stage, transcript: Transcript) -> Generator[Outcome, None, None]:
    for story in stories:
        with stage.open(story) as target:
            outcome = transcript.play(story, target)
        yield outcome


def _side_by_side(
    stories: Sequence[Story], stage: Stage, transcript: Transcript, at_once: int
) -> Generator[Outcome, None, None]:
    """Each transcript is shown whole, when it and all before it have ended."""

    def play_one(story: Story, pace: Pace) -> tuple[Outcome, str]:
        with stage.open(story) as target:
            return transcript.play_unseen(story, target, pace)

    with closing(side_by_side(stories, play_one, at_once)) as played:
        for outcome, shown in played:
            transcript.show(shown)
            yield outcome


def side_by_side(
    stories: Sequence[Story], play_one: Callable[[Story, Pace], Played], at_once: int
) -> Generator[Played, None, None]:
    """What comes of each, so many at a time, in their order."""
    stopping = threading.Event()
    pace = _UntilStopped(stopping)
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(lambda story: play_one(story, pace), stories)
    finally:  # at a failure, an error or a signal: what is under way ends at its next wait, its emulator with it
        stopping.set()
        pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """Nobody is interested any more in what would come of the story."""


class _UntilStopped(RealPace):
    """Real time, that lets nobody wait on once it is stopped."""

    def __init__(self, stopping: threading.Event) -> None:
        super().__init__(stopping)
        self._is_over = stopping.is_set

    def sleep(self, seconds: float) -> None:
        """Let time pass. Raises when it is over."""
        super().sleep(seconds)
        if self._is_over():
            raise _Stopped
