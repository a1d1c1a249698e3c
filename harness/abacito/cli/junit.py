"""What came of stories, as JUnit XML: the form that continuous integration shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from abacito.scenario.story import Story

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2: all other signs


@dataclass(frozen=True, slots=True)
class Case:
    """What came of a story: its seconds, why it failed, or why it was left out."""

    story: Story
    elapsed_s: float
    failure: str | None = None
    skipped: str | None = None


def write(path: Path, stories: Sequence[Story], ended: Sequence[Case]) -> None:
    """One test case for each story, with its seconds; those that were not played any more are skipped ones."""
    left = [Case(story, 0.0, skipped="not played: a story before it failed") for story in stories[len(ended) :]]
    cases = [*ended, *left]
    suite = ElementTree.Element(
        "testsuite",
        name="abacito scenario",
        tests=str(len(cases)),
        failures=str(sum(case.failure is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.skipped is not None for case in cases)),
        time=_seconds(sum(case.elapsed_s for case in cases)),
    )
    suite.extend(map(_element, cases))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _element(case: Case) -> ElementTree.Element:
    file = Path(case.story.file)
    folder = ".".join(part for part in file.parent.parts if part.strip("/."))
    element = ElementTree.Element(
        "testcase",
        classname=_legal(f"{folder}.{file.stem}" if folder else file.stem),
        name=_legal(case.story.title),
        file=_legal(case.story.file),
        time=_seconds(case.elapsed_s),
    )
    if case.failure is not None:
        element.append(_failure(case.failure))
    if case.skipped is not None:
        ElementTree.SubElement(element, "skipped", message=_legal(case.skipped))
    return element


def _failure(failure: str) -> ElementTree.Element:
    text = _legal(failure)
    element = ElementTree.Element("failure", message=text.partition("\n")[0], type="Failure")
    element.text = text
    return element


def _legal(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _seconds(elapsed_s: float) -> str:
    return f"{elapsed_s:.3f}"
