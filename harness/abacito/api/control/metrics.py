"""``/_abacito/metrics``: the instance in figures, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response

from abacito.abaco.census import Census
from abacito.api.caller import abaco

bp = Blueprint("metrics", __name__, url_prefix="/_abacito")

# Prometheus, text-based format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@bp.get("/metrics")
def metrics() -> Response:
    """Actors, workers, messages and executions of all tenants."""
    return Response("".join(_lines(abaco().census)), content_type=_TYPE)


def _lines(census: Census) -> Iterator[str]:
    figures = census.utilization()
    yield _gauge("abaco_actors", "Actors that exist.", {"": figures["currentActors"]})
    yield _gauge("abaco_actors_ever", "Actors ever registered.", {"": figures["totalActors"]})
    yield _gauge("abaco_command_queue", "Rings in the default command queue.", {"": figures["commandQueue"]})
    summary = census.worker_summary(census.workers())
    by_status = {status: summary[f"{status}_workers"] for status in ("ready", "requested", "busy", "error")}
    labelled = {f'{{status="{status}"}}': count for status, count in by_status.items()}
    yield _gauge("abaco_workers", "Workers by status.", labelled)
    waiting = sum(census.of(actor).messages for actor in census.actors())
    yield _gauge("abaco_messages_waiting", "Messages in all mailboxes.", {"": waiting})
    executions = Census.execution_summary(census.tallies())["total_executions_all"]
    yield _gauge("abaco_executions", "Executions ever.", {"": executions})


def _gauge(name: str, words: str, values: dict[str, int]) -> str:
    samples = "".join(f"{name}{labels} {value}\n" for labels, value in values.items())
    return f"# HELP {name} {words}\n# TYPE {name} gauge\n{samples}"
