"""The documents as something to be run: their blocks, in order, and what they say that each writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"

# A block whose introduction ends with a file's name and a colon is that file.
_BLOCK = re.compile(r"(?:`(\w[\w-]*[./][\w./-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Whatever ends the script ends what it has started beside it.
_LEAVING = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


@dataclass(frozen=True)
class Block:
    """One fenced block; ``file`` is the name of the file that it shows, if it shows one."""

    language: str
    text: str
    file: str | None = None

    @property
    def is_said(self) -> bool:
        """Whether it is what the block before it writes."""
        return self.language == "text" and self.file is None

    @property
    def command(self) -> str:
        """What a shell is told to do with it."""
        if self.file is not None:
            return f"mkdir -p {Path(self.file).parent}\ncat > {self.file} <<'END_OF_FILE'\n{self.text}END_OF_FILE\n"
        return f"python - <<'PROGRAM'\n{self.text}PROGRAM\n" if self.language == "python" else self.text


def blocks(page: str, *languages: str) -> list[Block]:
    """A page's blocks in these languages, or in any."""
    found = [Block(language, text, file or None) for file, language, text in _BLOCK.findall((DOCS / page).read_text())]
    return [block for block in found if not languages or block.language in languages]


def script(parts: Iterable[Block]) -> str:
    """All of a page as one script for bash; a NUL ends what each block writes."""
    return "".join(f"{block.command}printf '\\0'\n" for block in parts if not block.is_said)


def expected(parts: Iterable[Block]) -> list[str | None]:
    """What the page says that each of its commands writes; None where it says nothing."""
    found: list[str | None] = []
    for block in parts:
        if block.is_said:
            found[-1] = block.text
        else:
            found.append(None)
    return found


def follow(parts: Iterable[Block], folder: Path, **variables: str) -> str:
    """What a reader's shell writes, in this folder, with nothing of abacito set but these. It must end well."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("ABACITO_", "TOX_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", _LEAVING + script(parts)],
        cwd=folder, env={**plain, "PATH": path, **variables}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def check(parts: list[Block], written: str) -> None:
    """What the page's script wrote is what the page says."""
    found, said = written.split("\0")[:-1], expected(parts)
    assert len(found) == len(said)
    for wanted, text in zip(said, found, strict=True):
        if wanted is not None:
            assert _is_as_said(wanted, text), f"the page says:\n{wanted}\nand there is:\n{text}"


def _is_as_said(said: str, written: str) -> bool:
    """``…`` stands for anything, over lines too; blanks at the ends of lines do not count."""
    said, written = ("\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (said, written))
    pattern = ".*".join(re.escape(part) for part in said.split("…"))
    return re.fullmatch(pattern, written, re.DOTALL) is not None
