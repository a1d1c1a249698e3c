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
    """Unique within the tenant."""
    password: str
    """What the gateway's token service wants of this user."""
    roles: tuple[str, ...] = (EVERYONE,)
    """Role names; `Internal/abaco-admin` may do everything."""
    tenant: str | None = None
    """The tenant's name; none: the default one."""


class TenantSettings(BaseModel):
    """Abaco's options that may differ from tenant to tenant; a ``[tenants.NAME]`` table sets some of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_server: str | None = None
    """What links in answers begin with; none: the emulator's own address."""
    user_role: str = EVERYONE
    """The role that lets an ordinary user use Abaco."""
    default_token: bool = True
    """Whether an actor that does not say so itself (`token`) gets an access token."""
    generate_clients: bool = True
    """Whether actors get access tokens at all."""
    stateless_default: bool = True
    """What an actor is that does not say `stateless`; false: as in the older public lecture."""
    log_ex: int = 86_400
    """Seconds that a log is kept; -1: for ever."""
    log_ex_limit: int = 86_400
    """The most seconds that an actor may ask for in its own `log_ex`."""
    max_log_length: Annotated[int, Field(ge=1)] = 1_000_000
    """Characters of a log; what is longer is cut."""
    max_content_length: Annotated[int, Field(ge=0)] = 500_000_000
    """Bytes of a request's body; larger ones are refused."""
    max_workers_per_actor: Annotated[int, Field(ge=1)] = 6
    """Workers of a stateless actor: so many of its messages run at once."""
    max_run_time: int = -1
    """Seconds that an execution may run before it is stopped; -1: any number."""
    worker_ttl: int = 86_400
    """Seconds after which an idle worker of a stateful actor goes, without autoscaling of any; -1: never."""
    sync_max_idle_time: Annotated[int, Field(ge=0)] = 600
    """Seconds after which an idle worker of a stateless actor with the hint `sync` goes."""
    init_count: Annotated[int, Field(ge=0)] = 1
    """Workers that an actor starts with."""
    autoscaling: bool = True
    """Whether idle workers of stateless actors go after some seconds; false: they stay as long as others."""
    mem_limit: str | None = None
    """Memory of a container where its actor does not say, as Docker writes it (`256m`); none: no limit."""
    max_cpus: int = -1
    """CPU time of a container where its actor does not say, in nano-CPUs (1,000,000,000: one core); -1: no limit."""
    queues: tuple[str, ...] = ("default", "special")
    """Names of queues that an actor may ask for."""
    global_mounts: str = ""
    """Folders that every container sees: `host:container:mode`, separated by commas."""
    privileged_mounts: str = ""
    """Those that only privileged actors see besides."""
    actor_uid: str | None = None
    """The user as whom containers run, unless the actor has `use_container_uid`; none: the image's."""
    actor_gid: str | None = None
    """The group that goes with it."""


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
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8088
    """Port to listen on; 0 takes a free one."""
    https_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """A port for https; 0 takes a free one; none: no such port."""
    impersonated_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$")], ...] = (
        "localhost",
        "127.0.0.1",
        "api.tacc.utexas.edu",
        "api.tacc.cloud",
        "tacc.tapis.io",
    )
    """Hosts in whose place clients find the emulator when it is their proxy for https."""
    runner: Literal["auto", "docker", "process"] = "auto"
    """Where actors run: in Docker, as processes, or `auto`: in Docker if it answers."""
    workers: Annotated[int | None, Field(ge=1)] = None
    """Containers at once, of all actors; none: twice the cores."""
    emulator: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,20}$")] = "abacito"
    """Its name. Emulators of one name on one endpoint share their state."""
    endpoint_url: str | None = None
    """An AWS-compatible endpoint that keeps the state; none: this process's memory."""
    docker_pull: bool = False
    """Whether Docker may pull images that it does not have."""
    shared_namespace: bool = True
    """Whether containers take turns in network namespaces, which is twice as fast; false: each has its own."""
    keep_containers: Literal["never", "failed", "always"] = "never"
    """Which containers stay in Docker after their end, to be looked into."""
    callback_url: str | None = None
    """Where containers find the API; none: an address that is found out."""
    actor_tls: bool = False
    """Whether agavepy, tapispy and tapipy are made to work inside actors."""
    auth: Literal["tokens", "jwt", "none"] = "tokens"
    """How a request names its user: by a bearer token, a signed assertion, or not at all."""
    allow_open: bool = False
    """Whether `auth = "none"` may listen on more than this machine."""
    jwt_public_key: str | None = None
    """Checks assertions: base64 of the DER form; none: a key pair of the emulator's own."""
    accept_nonce: bool = True
    """Whether nonces count (`?x-nonce=`)."""
    gateway_faults: Literal["json", "xml"] = "json"
    """What the gateway's refusals of tokens look like."""
    token_life: Annotated[int, Field(ge=1)] = TOKEN_LIFE_S
    """Seconds that a token lives."""
    search_error_status: Literal[400, 500] = 500
    """The status of a search that is malformed; Abaco's is 500."""
    sync_timeout: Annotated[float | None, Field(gt=0)] = None
    """Seconds that a synchronous post waits for its execution's end; none: as long as it takes."""

    # Abaco's.
    tenant: str = DEFAULT_TENANT
    """The tenant of whoever does not name one."""
    case: Literal["camel", "snake"] = "camel"
    """Field names of the API, of the whole instance."""
    version_tag: str = "1.9.1"
    """What answers say in `version`."""
    encryption_key: str | None = None
    """Encrypts secrets in configs (a Fernet key); none: one that is made at each start."""
    tenants: dict[str, TenantSettings] = Field(default_factory=dict)
    """Tenants by name, each with what it has of its own; a list of names for those that have nothing."""
    users: tuple[UserSettings, ...] = (
        UserSettings(username="admin", password="abacito", roles=(ADMIN, EVERYONE)),
        UserSettings(username="jdoe", password="abacito"),
    )
    """The accounts; `[[users]]` in a file. Without any: `admin`, who has the role, and `jdoe`; password `abacito`."""

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
