"""A real Home Assistant of its own: a folder, a process, a token. Ended by its own process id.

What lies in `.storage` is what its 2026.2 writes there itself once somebody has been through its first pages, with the
MQTT integration added by hand (homeassistant/auth/auth_store.py, config_entries.py, components/onboarding).
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from joserfc import jwt
from joserfc.jwk import OctKey

from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.parent_death import with_parent_death_signal

HASS = Path(os.environ.get("HASS", "build/homeassistant/bin/hass")).absolute()  # `make test-homeassistant` says where
START_TIMEOUT_S = 600.0  # seconds: at its first start it fetches what it needs
STATE_TIMEOUT_S = 60.0  # seconds for anything that is to be shown
CREATED_AT = "2026-01-01T00:00:00+00:00"


class ActionRefused(Exception):  # noqa: N818 - it says what happened
    """Home Assistant did not do what it was asked; the text is its answer."""


class HomeAssistant:
    """One instance. `seen` is every state that it has shown since it was last begun: (entity, state), in order."""

    account: ClassVar = "homeassistant"  # at the broker
    environment: ClassVar[Mapping[str, str]] = {}  # more variables for its process

    def __init__(
        self, folder: Path, *, broker: int, password: str, more: str = "", entries: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self._folder, self._port = folder, free_port()
        self._broker = {"broker": "127.0.0.1", "port": broker, "username": self.account, "password": password}
        self._key, self._token_id = secrets.token_hex(64), secrets.token_hex(16)
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._watch: asyncio.Task[None] | None = None
        self.seen: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        assert HASS.exists(), f"{HASS} is not there: `make test-homeassistant` installs it"
        self._write(more, entries)

    # ---- its life ---------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start it, and wait until it has come up whole."""
        with (self._folder / "out.log").open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal([str(HASS), "--config", str(self._folder)], signal.SIGTERM),
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        self._http = aiohttp.ClientSession(
            f"http://127.0.0.1:{self._port}", headers={"Authorization": f"Bearer {self._token()}"}
        )
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await self._running():
                assert self._process.returncode is None, (self._folder / "out.log").read_text()[-3000:]
                await asyncio.sleep(0.2)
        self.forget()
        self._watch = asyncio.create_task(self._watch_states())

    async def end(self) -> None:
        """End it in good order."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(60):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _running(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            config = await self._get("/api/config")
            return bool(config["state"] == "RUNNING")
        return False

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    # ---- what it shows, what it is asked ----------------------------------------------------------------------------

    async def state(self, entity: str) -> str:
        """What its page shows of an entity; `none` if there is no such entity."""
        return str((await self.whole(entity)).get("state", "none"))

    async def whole(self, entity: str) -> dict[str, Any]:
        """The same, with its attributes; empty if there is no such entity."""
        states = await self._get("/api/states")
        return next((one for one in states if one["entity_id"] == entity), {})

    async def entities(self) -> set[str]:
        """All the entities that our device has."""
        states = await self._get("/api/states")
        return {one["entity_id"] for one in states if ".perron_" in one["entity_id"]}

    async def until(self, entity: str, state: str, within: float = STATE_TIMEOUT_S) -> None:
        """Wait until it shows this."""
        try:
            async with asyncio.timeout(within):
                while await self.state(entity) != state:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{entity} is {await self.state(entity)!r}, not {state!r}") from None

    def forget(self) -> None:
        """Forget what it has shown so far."""
        self.seen.clear()
        self.attributes.clear()

    async def until_seen(self, so: Callable[[], object], within: float = STATE_TIMEOUT_S) -> None:
        """Wait until what it has shown satisfies `so`."""
        async with asyncio.timeout(within):
            while not so():
                self._changed.clear()
                await self._changed.wait()

    def shown(self, entity: str) -> list[str]:
        """The states that an entity went through, in order."""
        return [state for name, state in self.seen if name == entity]

    def told(self, entity: str) -> list[dict[str, Any]]:
        """What an event entity told, in order, without what Home Assistant adds."""
        ours = ("event_type", "asked", "result", "code", "missing")
        events = {  # its state is the instant of the last event: shown again after an absence, it is the same one
            state: said
            for (name, state), (_, said) in zip(self.seen, self.attributes, strict=True)
            if name == entity and said.get("event_type")
        }
        return [{k: v for k, v in said.items() if k in ours} for said in events.values()]

    async def asks(self, action: str, entity: str, **data: object) -> None:
        """Call an action, such as `lock.lock`, as a press on its page does.

        Raises:
            Refused: Home Assistant itself does not do it.
        """
        assert self._http is not None
        path = f"/api/services/{action.replace('.', '/')}"
        async with self._http.post(path, json={"entity_id": entity, **data}) as answer:
            if answer.status != 200:
                raise ActionRefused(await answer.text())

    async def picture(self, entity: str) -> bytes:
        """What an image entity shows."""
        assert self._http is not None
        async with self._http.get(f"/api/image_proxy/{entity}") as answer:
            return await answer.read() if answer.status == 200 else b""

    async def listen(self, media: str) -> bytes:
        """Fetch what a player would play: a media source, or an address of Home Assistant's own."""
        assert self._http is not None
        if media.startswith("media-source://"):
            async with self._http.ws_connect("/api/websocket") as line:
                await self._sign_in(line)
                await line.send_json({"id": 1, "type": "media_source/resolve_media", "media_content_id": media})
                answer = await line.receive_json()
                media = str(answer["result"]["url"])
        path = media[media.index("/api/") :]
        async with self._http.get(path) as answer:
            return await answer.read() if answer.status == 200 else b""

    async def registry(self, what: str) -> list[dict[str, Any]]:
        """Its own list: `device` or `entity`."""
        assert self._http is not None
        async with self._http.ws_connect("/api/websocket") as line:
            await self._sign_in(line)
            await line.send_json({"id": 1, "type": f"config/{what}_registry/list"})
            answer = await line.receive_json()
            return list(answer["result"])

    async def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        assert self._http is not None
        async with self._http.get(path, raise_for_status=True) as answer:
            return await answer.json()

    async def _sign_in(self, line: aiohttp.ClientWebSocketResponse) -> None:
        assert (await line.receive_json())["type"] == "auth_required"
        await line.send_json({"type": "auth", "access_token": self._token()})
        assert (await line.receive_json())["type"] == "auth_ok"

    async def _watch_states(self) -> None:
        assert self._http is not None
        async with self._http.ws_connect("/api/websocket", max_msg_size=0) as line:
            await self._sign_in(line)
            await line.send_json({"id": 1, "type": "subscribe_events", "event_type": "state_changed"})
            async for message in line:
                said = json.loads(message.data)
                new = said.get("event", {}).get("data", {}).get("new_state")
                if new is not None:
                    self.seen.append((new["entity_id"], new["state"]))
                    self.attributes.append((new["entity_id"], new["attributes"]))
                    self._changed.set()

    # ---- what lies in its folder ------------------------------------------------------------------------------------

    def _token(self) -> str:
        now = int(time.time())
        return jwt.encode(
            {"alg": "HS256"},
            {"iss": self._token_id, "iat": now, "exp": now + 86_400},
            OctKey.import_key(self._key),
        )

    def _write(self, more: str, entries: Sequence[Mapping[str, Any]]) -> None:
        self._folder.mkdir(parents=True)
        (self._folder / "configuration.yaml").write_text(
            f"http:\n  server_host: 127.0.0.1\n  server_port: {self._port}\nlogger:\n  default: warning\n{more}"
        )
        self._store("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
        person, token = secrets.token_hex(16), secrets.token_hex(64)
        groups = [("system-admin", "Administrators"), ("system-users", "Users"), ("system-read-only", "Read Only")]
        owner = {"id": person, "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "Anna",
                 "system_generated": False, "local_only": False}  # fmt: skip
        refresh = {"id": self._token_id, "user_id": person, "client_id": None, "client_name": "Perron's tests",
                   "client_icon": None, "token_type": "long_lived_access_token", "created_at": CREATED_AT,
                   "access_token_expiration": 315_360_000.0, "token": token, "jwt_key": self._key,
                   "last_used_at": None, "last_used_ip": None, "expire_at": None, "credential_id": None,
                   "version": None}  # fmt: skip
        self._store("auth", 1, {"users": [owner], "groups": [{"id": id_, "name": name} for id_, name in groups],
                                "credentials": [], "refresh_tokens": [refresh]})  # fmt: skip
        entry: dict[str, object] = {
            "created_at": CREATED_AT,
            "modified_at": CREATED_AT,
            "data": self._broker,
            "disabled_by": None,
            "discovery_keys": {},
            "domain": "mqtt",
            "entry_id": secrets.token_hex(16),
            "minor_version": 1,
            "options": {},
            "pref_disable_new_entities": False,
            "pref_disable_polling": False,
            "source": "user",
            "subentries": [],
            "title": "127.0.0.1",
            "unique_id": None,
            "version": 2,
        }
        others = [{**entry, "entry_id": secrets.token_hex(16), "minor_version": 1, **one} for one in entries]
        self._store("core.config_entries", 1, {"entries": [entry, *others]}, minor=5)

    def _store(self, key: str, version: int, data: object, *, minor: int = 1) -> None:
        folder = self._folder / ".storage"
        folder.mkdir(exist_ok=True)
        whole = {"version": version, "minor_version": minor, "key": key, "data": data}
        (folder / key).write_text(json.dumps(whole))


@contextlib.asynccontextmanager
async def home_assistant(
    folder: Path, *, broker: int, password: str, more: str = "", entries: Sequence[Mapping[str, Any]] = ()
) -> AsyncIterator[HomeAssistant]:
    """Run one until left; `more` is added to its configuration.yaml, `entries` to the integrations beside MQTT."""
    made = HomeAssistant(folder, broker=broker, password=password, more=more, entries=entries)
    try:
        await made.begin()
        yield made
    finally:
        await made.end()
