"""``ports.ClockRecords`` on the table."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from boto3.dynamodb.conditions import Attr

from abacito.abaco.time import Setting
from abacito.aws import keys
from abacito.aws.tables import Item, Put, Table, Value, is_new

_MICROSECOND = timedelta(microseconds=1)


class ClockTable:
    """Each tenant's clock in the tenant's partition.

    ``is_alone``: nobody else writes to the table, so what was read once needs no reading again.
    """

    def __init__(self, table: Table, *, is_alone: bool) -> None:
        self._table, self._is_alone = table, is_alone
        self._lock = threading.Lock()
        self._known: dict[str, Setting] = {}

    def get(self, tenant: str) -> Setting:
        """As it is now."""
        if not self._is_alone:
            return _setting(self._table.get(keys.clock(tenant)))
        known = self._known.get(tenant)
        return known or self._newest(tenant, _setting(self._table.get(keys.clock(tenant))))

    def put(self, tenant: str, setting: Setting, seen: Setting) -> bool:
        """Set it, unless somebody else has."""
        item: dict[str, Value | None] = {
            "offset_us": setting.offset // _MICROSECOND,
            "frozen_at": setting.frozen_at.isoformat() if setting.frozen_at else None,
            "version": setting.version,
        }
        when = Attr("version").eq(seen.version) if seen.version else is_new()
        is_set = self._table.put(Put(keys.clock(tenant), item, when))
        if is_set:
            self._newest(tenant, setting)
        return is_set

    def _newest(self, tenant: str, setting: Setting) -> Setting:
        """What is known from now on: whoever has read or written last may come to tell of it first."""
        with self._lock:
            known = self._known.get(tenant)
            if known is None or known.version < setting.version:
                self._known[tenant] = setting
            return self._known[tenant]

    def forget(self) -> None:
        """The table is empty."""
        with self._lock:
            self._known.clear()


def _setting(item: Item | None) -> Setting:
    if item is None:
        return Setting()
    frozen = item.get("frozen_at")
    return Setting(
        timedelta(microseconds=int(item["offset_us"])),
        datetime.fromisoformat(str(frozen)) if frozen else None,
        int(item["version"]),
    )
