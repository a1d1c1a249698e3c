"""The only place where the parts are put together, started and stopped."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from abacito.abaco import ids
from abacito.abaco.actor import ActorKey
from abacito.abaco.alias import Aliases
from abacito.abaco.authorization import Authorization
from abacito.abaco.caller import ADMIN
from abacito.abaco.census import Census
from abacito.abaco.config import Configs
from abacito.abaco.container import Callback
from abacito.abaco.errors import AbacoError, Malformed, Misconfigured, Unavailable
from abacito.abaco.events import Delivery as EventDelivery
from abacito.abaco.events import Events
from abacito.abaco.faults import Faults
from abacito.abaco.finding import Finding
from abacito.abaco.halting import Halting
from abacito.abaco.linking import Linking
from abacito.abaco.messaging import Messaging
from abacito.abaco.news import News
from abacito.abaco.nonce import Nonces
from abacito.abaco.oauth import Gateway
from abacito.abaco.platform import Abaco as Platform
from abacito.abaco.ports import ActorRecords, Clock, ExecutionRecords, Mailboxes, Rings, WorkerSlots
from abacito.abaco.registration import Registration
from abacito.abaco.retirement import Retirement
from abacito.abaco.scheduling import Scheduling
from abacito.abaco.staffing import Staffing
from abacito.abaco.tenant import Tenant
from abacito.abaco.time import Clocks, RealPace, SystemClock
from abacito.abaco.tokens import Tokens, User
from abacito.abaco.travelling import TenantClock, Travelling
from abacito.api import Instance, create_app
from abacito.api.assertion import Signer, Verifier, header_name
from abacito.api.certificates import Authority
from abacito.api.gateway.mint import minter
from abacito.api.identity import AssertionIdentity, Identity, NoIdentity, TokenIdentity
from abacito.api.paths import OnlyAbaco
from abacito.api.server import Scheme, Server
from abacito.api.tls import Tls
from abacito.aws.embedded import Engine
from abacito.aws.session import EMBEDDED_LONG_POLL_S, ENDPOINT_LONG_POLL_S, Endpoint, storage
from abacito.aws.snapshots import Snapshots
from abacito.cipher import FernetCipher
from abacito.client import Abaco
from abacito.containers import actor_tls
from abacito.containers.choice import ByImage, DockerOptions, choose
from abacito.containers.faulty import FaultyRunner
from abacito.containers.folders import make_folder
from abacito.containers.labels import DURABLE_LABEL, EMULATOR_LABEL, OWNER_LABEL, this_process
from abacito.settings import LOOPBACK, Settings
from abacito.workers.hold import Hold
from abacito.workers.poller import Poller
from abacito.workers.redelivery import RepeatingMailboxes
from abacito.workers.rounds import CRON_PASS_S, LOG_SWEEP_S, RETIREMENT_PASS_S, EventRounds, Rounds
from abacito.workers.supervise import Workshop
from abacito.workers.sweep import SWEEP_PASS_S, Sweep
from abacito.workers.webhooks import HttpWebhooks
from abacito.worlds import Snapshot, Worlds, read

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

_LOOPBACK_OF = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
#: So many slow webhooks may be waited for at once before other actors' events wait too.
_EVENT_THREADS = 4


class Emulator:
    """Abaco on this machine: API, store, mailboxes, poller and runner in one process. A context manager.

    ``settings`` are those that ``Settings.read()`` finds unless others are given, and stay at hand under that name;
    ``Settings.read(port=0)`` takes a free port. Raises Unavailable when something it needs is not there: no Docker, a
    taken port. Nothing is left then.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read()
        self._stops: list[tuple[str, Callable[[], None]]] = []
        self._stopping = threading.Event()
        self._news = News()
        self.faults = Faults()
        self.signer = Signer()
        self._authority = Authority()
        self._https_port: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every part; requests are answered when this returns."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part in order: no more rings, containers away, port closed, store forgotten. Safe to repeat."""
        self._stopping.set()
        while self._stops:
            what, stop = self._stops.pop()
            try:
                stop()
            except AbacoError as error:
                log.warning("%s did not stop: %s", what, error)

    def reset(self) -> None:
        """Throw everything away and go on, empty: actors, messages, containers, stubs, tokens, faults.

        Raises Unavailable on an endpoint: what is there may be somebody else's too.
        """
        self._worlds.renew()

    def start_over(self, *, empty: bool = False) -> None:
        """Go back to what was loaded from a file or kept by ``stay_here``, or to nothing; users' tokens stay good.

        Raises Unavailable on an endpoint.
        """
        self._worlds.start_over(empty=empty)

    def stay_here(self) -> None:
        """What is there now is what ``start_over`` goes back to from now on. Raises Unavailable on an endpoint."""
        self._worlds.stay_here()

    def snapshot(self) -> Snapshot:
        """All there is at this instant: actors, executions, logs, state, aliases, configs, time, stubs. Some ms.

        What runs just now is in it as a crash would leave it now: in ERROR. Raises Unavailable on an endpoint.
        """
        return self._worlds.take()

    def restore(self, snapshot: Snapshot | str | Path | bytes) -> None:
        """Go back to a snapshot, or to what is in the file of one: that alone is there then, and no container.

        Users' tokens stay good, faults are cleared. Where messages wait in it they wait until ``resume``. From a file,
        time goes on from when it was saved, and ``start_over`` goes back to it. Raises Malformed for a file that is no
        snapshot, Misconfigured for secrets of another key, Unavailable on an endpoint; then nothing is done.
        """
        match snapshot:
            case Snapshot():
                self._worlds.go_back(snapshot)
            case bytes():
                self._worlds.load(snapshot)
            case str() | Path():
                self._worlds.load(read(snapshot))
            case _:
                raise Malformed(f"{snapshot!r} is no snapshot: give what snapshot() answers, or the path of a file")

    def pause(self) -> None:
        """Have the pollers begin nothing: messages wait, what runs goes on."""
        self._hold.put_on()

    def resume(self) -> None:
        """Have the pollers go on."""
        self._hold.take_off()

    @property
    def is_paused(self) -> bool:
        """Whether messages wait for ``resume``."""
        return self._hold.is_on

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://{_in_url(self._own_host)}:{self._port}"

    @property
    def https_url(self) -> str | None:
        """The base URL of the listener that is TLS from its first byte; None unless ``https_port`` is set."""
        return None if self._https_port is None else f"https://{_in_url(self._own_host)}:{self._https_port}"

    @property
    def _own_host(self) -> str:
        return _LOOPBACK_OF.get(self.settings.host, self.settings.host)

    @property
    def ca_pem(self) -> str:
        """The certificate (PEM) with which clients verify us, by https and in the place of impersonated hosts."""
        return self._authority.ca_pem

    @property
    def users(self) -> Collection[User]:
        """The accounts of all tenants."""
        return self.settings.accounts().values()

    @property
    def admin(self) -> User:
        """The first user with the admin role. Raises Misconfigured when there is none."""
        for user in self.settings.accounts().values():
            if ADMIN in user.roles:
                return user
        raise Misconfigured(f"no user in the settings has the admin role {ADMIN}")

    @property
    def token(self) -> str:
        """A new token of the first user with the admin role, at each look."""
        return self.token_for(self.admin.username, self.admin.tenant)

    def token_for(self, username: str, tenant: str | None = None) -> str:
        """A new token of this user's, good for ``token_life`` seconds. Raises Malformed for a user nobody knows."""
        return self._tokens.issue(tenant or self.settings.tenant, username)

    def headers_for(self, username: str, tenant: str | None = None) -> dict[str, str]:
        """The headers by which this user is known here: a token, an assertion, or only his tenant.

        Raises Malformed for a user nobody knows, Misconfigured when assertions are signed by somebody else.
        """
        tenant = tenant or self.settings.tenant
        if self.settings.auth == "none":
            return {"tenant": tenant}
        if self.settings.auth == "tokens":
            return {"Authorization": f"Bearer {self.token_for(username, tenant)}"}
        return self.assertion_for(self._gateway.account(username, tenant))

    def assertion_for(self, user: User, life_s: int | None = None) -> dict[str, str]:
        """The header that speaks for this user where assertions count, for ever or for so many seconds of our clock.

        Raises Misconfigured where they do not count, or are signed by somebody else.
        """
        if self.settings.auth != "jwt":
            raise Misconfigured(f"auth = {self.settings.auth!r}: assertions count with auth = 'jwt' only")
        if self.settings.jwt_public_key:
            raise Misconfigured("jwt_public_key is set: only who has the private key can sign assertions")
        expires = self._clocks.now(user.tenant) + timedelta(seconds=life_s) if life_s else None
        return {header_name(user.tenant): self.signer.sign(user.username, sorted(user.roles), expires)}

    def login(self, username: str, tenant: str | None = None) -> dict[str, str]:
        """A new pair of tokens for this user, and the OAuth client by which it is renewed.

        Keys: token, refresh_token, client_key, client_secret. Raises Malformed for a user nobody knows.
        """
        user = self._gateway.account(username, tenant or self.settings.tenant)
        client, pair = self._gateway.login(user)
        keys = {"client_key": client.key, "client_secret": client.secret or ""}
        return {"token": pair.access, "refresh_token": pair.refresh, **keys}

    @property
    def clock(self) -> TenantClock:
        """The clock of the default tenant."""
        return self.clock_of(self.settings.tenant)

    def clock_of(self, tenant: str) -> TenantClock:
        """A tenant's clock, to be looked at and moved."""
        return TenantClock(self._travelling, tenant)

    def client(self, username: str | None = None) -> Abaco:
        """A client of this emulator's, for this user; without one, for the first with the admin role. To be closed."""
        user = self.settings.accounts().get((self.settings.tenant, username)) if username else self.admin
        name, tenant = (user.username, user.tenant) if user else (username or "", None)
        headers = self.headers_for(name, tenant)
        renew = partial(self.headers_for, name, tenant)
        return Abaco(self.url, self.token_for(name, tenant), self.settings.case, self.stub, headers, renew, self)

    def stub(self, function: Callable[..., Any], image: str | None = None) -> str:
        """Have an image be a Python function, until ``reset``; the image's name, made up unless given.

        ``function`` takes one ``Context``; without a tag in its name the image is ``latest``.
        """
        name = image or f"stub/{getattr(function, '__name__', 'function').strip('<>')}-{secrets.token_hex(4)}"
        self.runner.stubs.register(name, function)
        return name

    def tenant(self, name: str) -> Tenant:
        """What a tenant is configured to."""
        return self.settings.tenant_of(name, self.url)

    def health(self) -> dict[str, str]:
        """Each part's state, ``ok`` when it is well, else an error's text; asked of the part itself.

        Parts: api, store, mailboxes, poller, runner.
        """
        nobody = ActorKey("health", ids.new_id())
        looks: dict[str, Callable[[], object]] = {
            "api": lambda: self.url,
            "store": lambda: self.stored.actors.get(nobody),
            "mailboxes": lambda: self.stored.mailboxes.count(nobody),
            "poller": self._poller.check,
            "runner": lambda: self._faulty.find("abacito-health"),
        }
        return {part: _state(part, look) for part, look in looks.items()}

    def check(self) -> None:
        """Raise what went wrong in the emulator itself since the last check, not in an actor, as an ExceptionGroup."""
        noted = (self._poller.failures, self._rounds.failures)
        failures = [failure for each in noted for failure in each]
        for each in noted:
            each.clear()
        if failures:
            raise ExceptionGroup("the emulator failed", failures)

    def _start(self) -> None:
        self._check_open()
        self._folder = make_folder()
        self._on_stop("folder", lambda: shutil.rmtree(self._folder, ignore_errors=True))
        self._open_store()
        self._make_services()
        self.runner = self._choose_runner()
        self._faulty = FaultyRunner(self.runner, self.faults, self._tokens.revoke)
        self._on_stop("runner", self._faulty.close)
        self._hold = Hold()
        self._make_worlds()
        self._listen()
        # Stopped in the opposite order: first nothing new is begun, last goes the store to which the others write.
        self._begin_work()
        self._on_stop("poller", self._end_work)

    def _check_open(self) -> None:
        settings = self.settings
        if settings.auth == "none" and settings.host not in LOOPBACK and not settings.allow_open:
            raise Misconfigured(
                f"host = {settings.host!r} with auth = 'none': anybody in the network could run containers here. "
                "Listen on 127.0.0.1, use tokens, or set allow_open if that is meant."
            )

    def _open_store(self) -> None:
        settings = self.settings
        self._source: Engine | Endpoint = Endpoint(settings.endpoint_url) if settings.endpoint_url else Engine()
        self._on_stop("engine", self._source.close)
        # Emulators that share no store must not meet in the daemon either: containers are found by this name.
        own = f"{settings.emulator}-{secrets.token_hex(3)}"
        self.namespace = settings.emulator if settings.endpoint_url else own
        self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._bucket_name = f"abacito-{self.namespace}"
        self.stored = storage(self._source, self.namespace, self._bucket_name)
        self.stored.set_up(settings.queues)

    def _make_services(self) -> None:
        """What the API and the workers both stand on."""
        settings, machines = self.settings, SystemClock()
        self._clocks = Clocks(self.stored.clocks, machines)
        mint = minter(self.signer, lambda: self.url)
        accounts = settings.accounts()
        self._tokens = Tokens(self.stored.tokens, self._clocks, accounts, mint, settings.token_life)
        tenants = tuple(settings.tenants)
        self._gateway = Gateway(self.stored.clients, self._tokens, accounts, settings.tenant, tenants)
        self._configs = self._make_configs()
        self._linking = Linking(self.stored.actors, self.stored.aliases)
        self._messaging = Messaging(*self._parts)
        self.scheduling = Scheduling(self.stored.actors, self._messaging, self._clocks)
        self._travelling = Travelling(
            self.stored.clocks, machines, self.scheduling, self.stored.actors, self.stored.executions
        )
        self._retirement = Retirement(self.stored.slots, self._clocks, self.tenant)

    def _make_worlds(self) -> None:
        if isinstance(self._source, Engine):
            self._own_worlds: Worlds | None = Worlds(
                self._source,
                Snapshots(self.namespace, self._bucket_name),
                at_rest=self._at_rest,
                sweep=lambda: self._sweep.run_pass(),
                forget=self.stored.forget,
                stubs=self.runner.stubs,
                retirement=self._retirement,
                hold=self._hold,
                travelling=self._travelling,
                cipher=self._cipher,
                tenants={self.settings.tenant, *self.settings.tenants},
            )
        else:
            self._own_worlds = None

    @property
    def _worlds(self) -> Worlds:
        if self._own_worlds is None:
            raise Unavailable(
                f"what is stored at {self.settings.endpoint_url} is not ours alone: it is not reset, saved or replaced"
            )
        return self._own_worlds

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Nothing works, and no container runs."""
        self.faults.clear()
        functions = self.runner.stubs.functions
        self._end_work()
        self.runner.stubs.start_with(functions)
        try:
            yield
        finally:
            if isinstance(self._source, Engine):
                self._source.resume()
            self._begin_work()
            self._news.tell()

    def _listen(self) -> None:
        settings, app = self.settings, create_app(self._platform(), self._identity(), self._instance())
        tls = Tls(self._authority, frozenset({*settings.impersonated_hosts, self._own_host}))
        self._port = self._serve(app, settings.host, settings.port, tls)
        if settings.https_port is not None:
            self._https_port = self._serve(app, settings.host, settings.https_port, tls, "https")
        self._callback_url = self._serve_containers(app, tls)
        self._callback = self._make_callback()

    def _serve(
        self, app: WSGIApplication, host: str, port: int, tls: Tls | None = None, scheme: Scheme = "http"
    ) -> int:
        server = Server(app, host, port, tls, scheme)
        bound = server.bind()
        server.start()
        self._on_stop("server", server.stop)
        return bound

    def _serve_containers(self, app: WSGIApplication, tls: Tls) -> str:
        """Where containers reach the API; loopback is another machine's to them, so they get a listener of their own
        on their bridge, which nobody else reaches, and which has nothing of ours."""
        host = self.runner.callback_host()
        if self.settings.callback_url or host is None:
            return self.settings.callback_url or self.url
        try:
            return f"http://{host}:{self._serve(OnlyAbaco(app), host, 0, tls if self.settings.actor_tls else None)}"
        except Unavailable as error:  # Docker Desktop, rootless: the bridge is not on this machine
            log.warning("containers reach the API only by Docker's own name for this machine: %s", error)
            return f"http://host.docker.internal:{self._port}"

    def _make_callback(self) -> Callback:
        """What they are told of it: where it is, or with ``actor_tls`` a public name, and us as the proxy to it."""
        if not self.settings.actor_tls:
            return Callback(self._callback_url)
        public = next((host for host in self.settings.impersonated_hosts if host not in LOOPBACK), None)
        if public is None:
            raise Misconfigured(
                "actor_tls: impersonated_hosts has no host but this machine, so actors have none to ask"
            )
        return actor_tls.callback(self._folder / "tls", self.ca_pem, public, self._callback_url)

    def _on_stop(self, what: str, stop: Callable[[], None]) -> None:
        self._stops.append((what, stop))

    def _choose_runner(self) -> ByImage:
        labels = {EMULATOR_LABEL: self.namespace, OWNER_LABEL: this_process()}
        if self.settings.endpoint_url:
            labels[DURABLE_LABEL] = "true"
        settings = self.settings
        shared = self._threads if settings.shared_namespace else 0
        options = DockerOptions(labels, settings.docker_pull, shared, settings.keep_containers)
        return choose(settings.runner, self._folder, options)

    @property
    def _threads(self) -> int:
        """How many containers may run at once. Measured: a second gives no more of them beyond twice the cores."""
        return self.settings.workers or 2 * (os.cpu_count() or 1)

    def _begin_work(self) -> None:
        self._working = threading.Event()  # set to stop
        long_poll_s = ENDPOINT_LONG_POLL_S if self.settings.endpoint_url else EMBEDDED_LONG_POLL_S
        workshop = self._workshop(self._working)
        self._poller = Poller(workshop, self.settings.queues, self._threads, long_poll_s)
        self._poller.start()
        delivery = EventDelivery(self.stored.actors, self._messaging, HttpWebhooks(), lambda: self._callback_url)
        events = EventRounds(self.stored.events, delivery, long_poll_s, self._working)
        self._rounds = Rounds(self._working)
        for number in range(_EVENT_THREADS):
            self._rounds.add(f"abacito-events-{number}", events.run_once)
        self._rounds.add("abacito-cron", self.scheduling.run_pass, CRON_PASS_S)
        self._rounds.add("abacito-logs", self._travelling.sweep, LOG_SWEEP_S)
        self._rounds.add("abacito-retirement", self._retirement.run_pass, RETIREMENT_PASS_S)
        self._sweep = Sweep(workshop)
        # What is stored in this process was empty a moment ago, or is looked at by who has put it there; at an endpoint
        # somebody may have died.
        is_shared = self.settings.endpoint_url is not None
        self._rounds.add("abacito-sweep", self._sweep.run_pass, SWEEP_PASS_S, at_once=is_shared)
        self._rounds.start()

    def _end_work(self) -> None:
        """Take no more rings; with their containers gone the workers stop too, and are waited for."""
        self._working.set()
        self._source.interrupt()
        self._faulty.clear()
        self._poller.stop()
        self._rounds.stop()

    def _workshop(self, stopping: threading.Event) -> Workshop:
        return Workshop(
            actors=self.stored.actors,
            executions=self.stored.executions,
            slots=self.stored.slots,
            mailboxes=RepeatingMailboxes(self.stored.mailboxes, self.faults, self.stored.actors),
            rings=self.stored.rings,
            runner=self._faulty,
            tokens=self._tokens,
            configs=self._configs,
            events=Events(self.stored.events, self._linking, self._clocks),
            retirement=self._retirement,
            clock=self._clocks,
            pace=RealPace(stopping),
            hold=self._hold,
            news=self._news,
            tenant=self.tenant,
            stopping=stopping,
            namespace=self.namespace,
            poller=self._owner,
            callback=lambda: self._callback,
        )

    @property
    def _parts(self) -> tuple[ActorRecords, ExecutionRecords, WorkerSlots, Mailboxes, Rings, Clock]:
        """What messaging and registration both stand on."""
        stored = self.stored
        return stored.actors, stored.executions, stored.slots, stored.mailboxes, stored.rings, self._clocks

    def _make_configs(self) -> Configs:
        stored, key = self.stored, self.settings.encryption_key
        if self.settings.endpoint_url and key is None:
            log.warning("no encryption_key is set: secrets made now cannot be read after the next start")
        self._cipher = FernetCipher(key)
        return Configs(stored.configs, stored.actors, stored.aliases, stored.permissions, self._cipher)

    def _platform(self) -> Platform:
        stored, clock = self.stored, self._clocks
        pace = RealPace(self._stopping)
        authorization = Authorization(stored.actors, stored.aliases, stored.configs, stored.permissions)
        return Platform(
            registration=Registration(*self._parts, pace, self._linking, authorization),
            messaging=self._messaging,
            authorization=authorization,
            aliases=Aliases(stored.aliases, stored.actors, stored.permissions, stored.nonces),
            nonces=Nonces(stored.nonces, clock),
            configs=self._configs,
            staffing=Staffing(stored.slots, stored.rings, clock),
            faults=self.faults,
            finding=Finding(stored.actors, stored.executions, stored.slots, clock),
            census=Census(stored.actors, stored.executions, stored.slots, stored.rings, self._messaging),
            tokens=self._tokens,
            gateway=self._gateway,
            executions=stored.executions,
            halting=Halting(stored.slots),
            clock=clock,
            travelling=self._travelling,
            pace=pace,
            news=self._news,
            tenant=self.tenant,
            health=self.health,
            worlds=self,
        )

    def _instance(self) -> Instance:
        settings = self.settings
        return Instance(
            case=settings.case,
            version_tag=settings.version_tag,
            accept_nonce=settings.accept_nonce,
            search_error_status=settings.search_error_status,
            sync_timeout_s=settings.sync_timeout,
            takes_any_tenant=settings.auth != "tokens",
            xml_faults=settings.gateway_faults == "xml",
            token_key=lambda: self.signer.public_key_pem,
            ca_pem=self.ca_pem,
            assertion_for=self.assertion_for,
        )

    def _identity(self) -> Identity:
        settings = self.settings
        if settings.auth == "none":
            return NoIdentity(settings.tenant)
        if settings.auth == "jwt":
            return AssertionIdentity(Verifier(settings.jwt_public_key or self.signer.public_key), self._clocks)
        return TokenIdentity(self._tokens)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _state(part: str, look: Callable[[], object]) -> str:
    try:
        look()
    except Exception as error:  # noqa: BLE001 # whatever keeps a part from answering is what is asked for here
        log.warning("%s is not well: %s", part, error)
        return f"{type(error).__name__}: {error}"
    return "ok"
