"""Stopping one execution: force quit."""

from __future__ import annotations

from abacito.abaco.errors import Malformed
from abacito.abaco.execution import Execution, ExecutionStatus
from abacito.abaco.ports import WorkerSlots


class Halting:
    """Asks whoever supervises an execution to stop its container."""

    def __init__(self, slots: WorkerSlots) -> None:
        self._slots = slots

    def force_quit(self, execution: Execution) -> str:
        """Ask for it; what to tell the user. It ends COMPLETE a little later, with its log so far (http-api §4.4).

        Raises Malformed for one that is not RUNNING.
        """
        if execution.status is not ExecutionStatus.RUNNING:
            raise Malformed(
                "Cannot force quit an execution not in RUNNING status. "
                f"Execution was found in status: {execution.status}"
            )
        for slot in self._slots.list(execution.key.actor):
            if slot.execution == execution.id:
                self._slots.halt(slot, execution.id)
        return f"Issued force quit command for execution {execution.id}."
