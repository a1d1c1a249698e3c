"""What one tenant's Abaco is configured to."""

from __future__ import annotations

from dataclasses import dataclass

from abacito.abaco.container import Mount


@dataclass(frozen=True, slots=True)
class Tenant:
    """Abaco's options as they hold for one tenant (http-api-more §9.2 has the meaning and figures of each).

    Seconds: ``log_ex``, ``log_ex_limit``, ``max_run_time`` and ``worker_ttl`` (-1: none). ``max_log_length`` in
    characters, ``max_content_length`` in bytes. ``max_cpus`` in nano-CPUs (-1: none). ``queues``: valid names.
    """

    name: str
    api_server: str
    user_role: str = "Internal/everyone"
    default_token: bool = True
    generate_clients: bool = True
    stateless_default: bool = True
    log_ex: int = 86_400
    log_ex_limit: int = 86_400
    max_log_length: int = 1_000_000
    max_content_length: int = 500_000_000
    max_workers_per_actor: int = 6
    max_run_time: int = -1
    worker_ttl: int = 86_400
    sync_max_idle_time: int = 600
    init_count: int = 1
    autoscaling: bool = True
    mem_limit: str | None = None
    max_cpus: int = -1
    queues: tuple[str, ...] = ("default", "special")
    global_mounts: str = ""
    privileged_mounts: str = ""
    actor_uid: str | None = None
    actor_gid: str | None = None

    def mounts(self, username: str, tasdir: str | None, *, privileged: bool) -> tuple[Mount, ...]:
        """The mounts of an actor of this user's: the global ones, then the privileged ones if it is that.

        Written as ``host:container:mode``; entries not of three parts are skipped, as in Abaco (http-api-more §9.3).
        """
        text = ",".join([self.global_mounts, self.privileged_mounts if privileged else ""])
        words = {"{username}": username, "{tenant_id}": self.name, "{tasdir}": tasdir or ""}
        entries = [entry.strip() for entry in text.split(",") if tasdir or "{tasdir}" not in entry]
        for word, value in words.items():
            entries = [entry.replace(word, value) for entry in entries]
        parts = [entry.split(":") for entry in entries]
        return tuple(Mount(*part) for part in parts if len(part) == 3)

    def log_life_s(self, log_ex: int | None) -> int | None:
        """How long a log lives that is written now, in seconds; None: for ever.

        Abaco 1.9, models.py: get_actor_log_ttl. The tenant's default is not cut, an actor's own figure is; one that
        is negative ends a log at once, as 0 does.
        """
        if log_ex is None:
            return None if self.log_ex == -1 else self.log_ex
        return max(0, min(log_ex, self.log_ex_limit))
