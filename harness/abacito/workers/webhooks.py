"""Webhooks: events posted to other people's servers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import requests

log = logging.getLogger(__name__)

#: Abaco has no limit, so one slow receiver holds up all its events (execution.md §8).
TIMEOUT_S = 10


class HttpWebhooks:
    """``events.Webhooks`` over HTTP."""

    def post(self, url: str, body: Mapping[str, Any]) -> None:
        """Post JSON, once, without credentials; a failure or an answer from 400 on is logged and forgotten."""
        try:
            response = requests.post(url, json=body, timeout=TIMEOUT_S)
        except (requests.RequestException, ValueError) as error:  # ValueError: what is no URL at all
            log.warning("webhook not delivered: %s", _without_query(error, url))
            return
        if response.status_code >= 400:
            log.warning("webhook refused with %d", response.status_code)


def _without_query(error: Exception, url: str) -> str:
    """The error's text; a nonce in the URL's query is not for the log."""
    query = url.partition("?")[2]
    return str(error).replace(query, "…") if query else str(error)
