"""Taking an actor away that is SHUTTING_DOWN, pass by pass."""

from __future__ import annotations

from abacito.abaco.actor import ActorKey
from abacito.abaco.ports import ActorRecords, ExecutionRecords, Mailboxes, WorkerSlots
from abacito.abaco.worker import HALT_ALL


class Deletion:
    """Each pass may be repeated, by whoever begins it: what the last one has not done the next one does."""

    def __init__(
        self, actors: ActorRecords, executions: ExecutionRecords, slots: WorkerSlots, mailboxes: Mailboxes
    ) -> None:
        self._actors, self._executions, self._slots, self._mailboxes = actors, executions, slots, mailboxes

    def run_pass(self, key: ActorKey) -> bool:
        """Take the idle slots away, ask the held ones to go; when there were none, the rest. Whether all is gone."""
        slots = self._slots.list(key)
        for slot in slots:
            if not self._slots.delete_idle(slot):
                self._slots.halt(slot, HALT_ALL)
        if slots:
            return not self._slots.list(key) and self.run_pass(key)
        self._mailboxes.delete(key)
        self._executions.delete_logs(key)  # an execution that was still running has written one since
        self._actors.delete(key)
        return True
