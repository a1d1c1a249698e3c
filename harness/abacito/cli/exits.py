"""Exit codes, each with its name, and which error ends with which."""

from __future__ import annotations

from abacito.abaco.errors import AbacoError, Misconfigured, Unavailable

DONE = 0
FAILED = 1
"""A story or an actor failed."""
USAGE = 2
"""Wrong usage: an option, a setting, a file."""
MISSING = 3
"""Something is missing on this machine: no Docker, a taken port."""
TIMED_OUT = 124
INTERRUPTED = 130
TERMINATED = 143

HELP = (
    "Exit codes: 0 done, 1 a story or actor failed, 2 wrong usage, 3 something is missing (no Docker, a taken port), "
    "124 timed out, 130 interrupted, 143 terminated."
)


def code_of(error: AbacoError) -> int:
    """The exit code with which a command ends for this error."""
    match error:
        case Misconfigured():
            return USAGE
        case Unavailable():
            return MISSING
    return FAILED
