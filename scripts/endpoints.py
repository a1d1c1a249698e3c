"""Writes docs/endpoints.md: every endpoint of Abaco's HTTP API, what serves it, which tests ask it, how it differs.

The rows come from the application's own routes; ``ABACO`` below is what Abaco has, so that neither can lack one.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from abacito.abaco.platform import Abaco
from abacito.api import Instance, create_app
from abacito.api.identity import NoIdentity
from abacito.api.openapi import path_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "endpoints.md"

#: Every endpoint of Abaco 1.9.1, and how ours differs on purpose (docs/http.md says why).
ABACO: dict[str, dict[str, str]] = {
    "/actors": {"GET": "", "POST": ""},
    "/actors/{identifier}": {
        "GET": "",
        "PUT": "bad queues and hints are 400, not 500",
        "DELETE": "answers at once when the workers are gone",
    },
    "/actors/{identifier}/messages": {
        "GET": "",
        "POST": "any JSON is taken; malformed JSON is 400, not 500; a synchronous one is answered after an ERROR too",
        "DELETE": "",
    },
    "/actors/{identifier}/executions": {
        "GET": "an alias in a search is resolved",
        "POST": "no success, as in Abaco; all refusals are 400",
    },
    "/actors/{identifier}/executions/{execution_id}": {"GET": "", "DELETE": "the worker goes on with the next message"},
    "/actors/{identifier}/executions/{execution_id}/logs": {"GET": "expire to the second; bad UTF-8 is replaced"},
    "/actors/{identifier}/executions/{execution_id}/results": {"GET": ""},
    "/actors/{identifier}/state": {"GET": "", "POST": "malformed JSON is 400, not 500"},
    "/actors/{identifier}/nonces": {"GET": "", "POST": "an unknown actor is 404"},
    "/actors/{identifier}/nonces/{nonce_id}": {"GET": "", "DELETE": "an unknown nonce is 400, not 500"},
    "/actors/{identifier}/permissions": {"GET": "", "POST": "an unknown actor is 404"},
    "/actors/{identifier}/workers": {"GET": "", "POST": "at most 1,000"},
    "/actors/{identifier}/workers/{worker_id}": {"GET": "", "DELETE": "a busy worker finishes first"},
    "/actors/aliases": {"GET": "", "POST": ""},
    "/actors/aliases/{name}": {"GET": "", "PUT": "", "DELETE": "the answer names the alias; its nonces go too"},
    "/actors/aliases/{name}/nonces": {"GET": "", "POST": ""},
    "/actors/aliases/{name}/nonces/{nonce_id}": {"GET": "", "DELETE": "an unknown nonce is 400, not 500"},
    "/actors/aliases/{name}/permissions": {"GET": "", "POST": "an unknown alias is 404"},
    "/actors/configs": {"GET": "", "POST": ""},
    "/actors/configs/{name}": {
        "GET": "works for non-admins too",
        "PUT": "works for non-admins too",
        "DELETE": "works for non-admins too",
    },
    "/actors/configs/{name}/permissions": {"GET": "works for non-admins too", "POST": "the same"},
    "/actors/search/{kind}": {"GET": "display ids and `finish_time` are understood too"},
    "/actors/admin": {"GET": ""},
    "/actors/admin/workers": {"GET": ""},
    "/actors/admin/executions": {"GET": ""},
    "/actors/utilization": {"GET": ""},
}

_METHODS = ("GET", "POST", "PUT", "DELETE")


def served() -> dict[tuple[str, str], str]:
    """Method and path of each of the application's Abaco endpoints, with the function that serves it."""
    app = create_app(cast(Abaco, None), NoIdentity("T"), Instance("snake", "1.9.1"))
    found = {}
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/actors"):
            for method in (rule.methods or set()) & set(_METHODS):
                found[method, path_of(rule)] = rule.endpoint
    return found


def asked() -> dict[tuple[str, str], set[str]]:
    """Method and path of each request that some test spells out, with the tests' files."""
    routes = sorted(served(), key=lambda route: route[1].count("{"))  # words before placeholders
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file in sorted((ROOT / "tests" / "api").glob("test_*.py")):
        for method, path in _requests(ast.parse(file.read_text())):
            route = next((r for r in routes if r[0] == method and _fits(r[1], path)), None)
            if route is not None:
                found[route].add(file.name)
    return found


def _requests(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every pair of a method and a path that stand beside each other, in calls, tuples and tables."""
    for node in ast.walk(tree):
        values = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        texts = [_text(value) for value in values]
        for method, path in itertools.pairwise(texts):
            if method in _METHODS and path and path.startswith("/actors"):
                yield method, re.split(r"[?]", path)[0]


def _text(node: ast.AST) -> str:
    """A text with ``{}`` for what is put into it; empty for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[^}]*\}", "{}", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def _fits(route: str, path: str) -> bool:
    ours, theirs = route.split("/"), path.rstrip("/").split("/")
    return len(ours) == len(theirs) and all(a == b or a.startswith("{") for a, b in zip(ours, theirs, strict=True))


def page() -> str:
    """The whole document. Raises SystemExit when what is served is not what Abaco has."""
    here, tests = served(), asked()
    wanted = {(method, path): note for path, methods in ABACO.items() for method, note in methods.items()}
    if here.keys() ^ wanted.keys():
        sys.exit(f"served and not Abaco's, or the other way round: {sorted(here.keys() ^ wanted.keys())}")
    lines = [
        "# Endpoints",
        "",
        "Written by `scripts/endpoints.py` from the application's routes; a test sees to it that it is up to date.",
        "Tested: the files in `tests/api` that ask it, beside those that ask all of them (`test_matrix.py` with every",
        "level, role and nonce, `test_openapi.py` with made-up requests). Differs: on purpose, see [here](http.md).",
        "",
        "| method | path | served by | tested | differs |",
        "|---|---|---|---|---|",
    ]
    for (method, path), note in wanted.items():
        files = ", ".join(f"`{name}`" for name in sorted(tests.get((method, path), ())))
        lines.append(f"| {method} | `{path}` | `{here[method, path]}` | {files} | {note} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
