"""Every setting: its name, its default, and the one place where environment and file are read."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from abacito.abaco.caller import ADMIN, EVERYONE
from abacito.abaco.errors import Misconfigured
from abacito.abaco.tenant import Tenant
from abacito.abaco.tokens import TOKEN_LIFE_S, User

#: The names of this machine that nobody else reaches.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

DEFAULT_TENANT = "TACC-PROD"


class UserSettings(BaseModel):
    """One ``[[users]]`` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str
    password: str
    roles: tuple[str, ...] = (EVERYONE,)
    tenant: str | None = None


class TenantSettings(BaseModel):
    """Abaco's options that may differ from tenant to tenant; a ``[tenants.NAME]`` table sets some of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_server: str | None = None
    user_role: str = EVERYONE
    default_token: bool = True
    generate_clients: bool = True
    stateless_default: bool = True
    log_ex: int = 86_400
    log_ex_limit: int = 86_400
    max_log_length: Annotated[int, Field(ge=1)] = 1_000_000
    max_content_length: Annotated[int, Field(ge=0)] = 500_000_000
    max_workers_per_actor: Annotated[int, Field(ge=1)] = 6
    max_run_time: int = -1
    worker_ttl: int = 86_400
    sync_max_idle_time: Annotated[int, Field(ge=0)] = 600
    init_count: Annotated[int, Field(ge=0)] = 1
    autoscaling: bool = True
    mem_limit: str | None = None
    max_cpus: int = -1
    queues: tuple[str, ...] = ("default", "special")
    global_mounts: str = ""
    privileged_mounts: str = ""
    actor_uid: str | None = None
    actor_gid: str | None = None


class Settings(BaseSettings, TenantSettings):
    """All of abacito's settings, frozen. Names at the top level that Abaco knows are Abaco's own.

    Keyword > environment (``ABACITO_<NAME>``) > ``abacito.toml`` > ``[tool.abacito]`` of ``pyproject.toml`` > default.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="ABACITO_",
        toml_file="abacito.toml",
        pyproject_toml_table_header=("tool", "abacito"),
    )

    # Ours: where and how the emulator runs.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    https_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    impersonated_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$")], ...] = (
        "localhost",
        "127.0.0.1",
        "api.tacc.utexas.edu",
        "api.tacc.cloud",
        "tacc.tapis.io",
    )
    runner: Literal["auto", "docker", "process"] = "auto"
    workers: Annotated[int | None, Field(ge=1)] = None
    emulator: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,20}$")] = "abacito"
    endpoint_url: str | None = None
    docker_pull: bool = False
    shared_namespace: bool = True
    keep_containers: Literal["never", "failed", "always"] = "never"
    callback_url: str | None = None
    actor_tls: bool = False
    auth: Literal["tokens", "jwt", "none"] = "tokens"
    allow_open: bool = False
    jwt_public_key: str | None = None
    accept_nonce: bool = True
    gateway_faults: Literal["json", "xml"] = "json"
    token_life: Annotated[int, Field(ge=1)] = TOKEN_LIFE_S
    search_error_status: Literal[400, 500] = 500
    sync_timeout: Annotated[float | None, Field(gt=0)] = None

    # Abaco's.
    tenant: str = DEFAULT_TENANT
    case: Literal["camel", "snake"] = "camel"
    version_tag: str = "1.9.1"
    encryption_key: str | None = None
    tenants: dict[str, TenantSettings] = Field(default_factory=dict)
    users: tuple[UserSettings, ...] = (
        UserSettings(username="admin", password="abacito", roles=(ADMIN, EVERYONE)),
        UserSettings(username="jdoe", password="abacito"),
    )

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings, ``given`` ones over environment and files. Raises Misconfigured, naming each wrong one."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            raise Misconfigured("; ".join(_told(problem) for problem in error.errors())) from error
        except ValueError as error:  # a file that is no TOML, a variable that is no JSON
            raise Misconfigured(f"the settings cannot be read: {error}") from error

    def tenant_of(self, name: str, base_url: str) -> Tenant:
        """What tenant ``name`` is configured to; its links begin with ``base_url`` unless ``api_server`` says else.

        A ``[tenants.NAME]`` table counts over what stands at the top; as in Abaco, whatever the case of its name.
        """
        shared = {field: getattr(self, field) for field in Tenant.__slots__ if field != "name"}
        tables = [table for place, table in self.tenants.items() if place.casefold() == name.casefold()]
        own = {field: getattr(table, field) for table in tables for field in table.model_fields_set}
        values = {**shared, **own}
        return Tenant(name=name, **{**values, "api_server": values["api_server"] or base_url})

    @field_validator("tenants", mode="before")
    @classmethod
    def _as_tables(cls, given: Any) -> Any:
        """``tenants = ["A", "B"]`` names tenants that are like all others."""
        return {name: {} for name in given} if isinstance(given, list | tuple) else given

    def accounts(self) -> dict[tuple[str, str], User]:
        """The users, by tenant and name."""
        places = [(user.tenant or self.tenant, user) for user in self.users]
        return {(t, u.username): User(u.username, u.password, t, frozenset(u.roles)) for t, u in places}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of the sources; no ``.env`` file and no secrets folder is looked for."""
        files = TomlConfigSettingsSource(settings_cls), PyprojectTomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, *files


def _told(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {place!r}{_nearest(place)}"
    return f"setting {place} = {problem['input']!r}: {problem['msg']}"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
