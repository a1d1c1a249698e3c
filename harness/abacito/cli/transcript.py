"""Stories as they are played, for a reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

from abacito.scenario.play import Outcome, StepReport, play

if TYPE_CHECKING:
    from abacito.abaco.ports import Pace
    from abacito.scenario.ask import Target
    from abacito.scenario.story import Story

ANSWER_WIDTH = 160  # characters of an answer that are shown without -v
LOG_LINES = 40  # likewise, of a container's log


class Transcript:
    """What is played, on stdout: styled on a terminal, unless NO_COLOR is set."""

    def __init__(self, is_full: bool) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._is_full = is_full

    def play(self, story: Story, target: Target, pace: Pace | None = None) -> Outcome:
        """Play it, and show each step as it ends."""
        self._print(f"{story.title} ({story.file})", "bold")
        return play(story, target, self._step, pace=pace)

    def play_unseen(self, story: Story, target: Target, pace: Pace) -> tuple[Outcome, str]:
        """Play it, and give what would have been shown, for ``show``; others may be played at the same time."""
        with self._console.capture() as captured:  # rich captures for this thread alone
            outcome = self.play(story, target, pace)
        return outcome, captured.get()

    def show(self, transcript: str) -> None:
        """Print a whole transcript."""
        self._console.file.write(transcript)
        self._console.file.flush()

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
        if report.status_code is None:
            self._print(f"      waited {report.elapsed_s:.2f} s")
            return
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
