"""How an object of Abaco's is written down as JSON Schema: once, by snake names, for both cases and all nulls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from abacito.api import wire
from abacito.api.face import SNAKE, Case, Face

Schema = Mapping[str, Any]

NULL: Schema = {"type": "null"}


@dataclass(frozen=True, slots=True)
class OrNull:
    """A field that may have no value."""

    schema: Schema


class Nulls(Enum):
    """What becomes of fields without a value (http-api §1.2)."""

    BY_CASE = "null in snake, absent in camel"
    KEPT = "null in both"
    ABSENT = "absent in both"


Fields = Mapping[str, Schema | OrNull]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with these fields and no others. ``is_raw``: its names are the same in camel."""

    fields: Fields
    nulls: Nulls = Nulls.BY_CASE
    is_raw: bool = False

    def schema(self, seen: Face = SNAKE) -> Schema:
        """As this face of Abaco shows it."""
        fields = {field: schema for field, schema in self.fields.items() if seen.has(field)}
        is_absent = self.nulls is Nulls.ABSENT or (self.nulls is Nulls.BY_CASE and seen.case == "camel")
        names = {field: field if self.is_raw else named(field, seen.case) for field in fields}
        return {
            "type": "object",
            "properties": {names[field]: _value(schema, is_absent) for field, schema in fields.items()},
            "required": sorted(
                names[field] for field, schema in fields.items() if not (is_absent and isinstance(schema, OrNull))
            ),
            "additionalProperties": False,
        }


def named(snake: str, case: Case) -> str:
    """A field's name in this case."""
    return wire.camel(snake) if case == "camel" else snake


def ref(name: str) -> Schema:
    """One of the document's schemas, by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(item: Schema) -> Schema:
    """Any number of these."""
    return {"type": "array", "items": item}


def either(*schemas: Schema) -> Schema:
    """One of these or another."""
    return {"anyOf": list(schemas)}


def _value(schema: Schema | OrNull, is_absent: bool) -> Schema:
    if not isinstance(schema, OrNull):
        return schema
    return schema.schema if is_absent else either(schema.schema, NULL)
