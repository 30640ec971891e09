"""Homes that join a real hub, for tests: its broker's files, claims, and boxes with a folder of their own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.hub import admin
from gateway.hub.authority import Authority
from gateway.hub.config import Boxes, HubBroker, HubFile
from gateway.integrations.hub_client import enrolment
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.enrolment import Code
from gateway.protocol.keys import BoxKey
from tests.hubs import MANY, Running, hub_file

HOST = "localhost"


def with_boxes(folder: Path, *, host: str = HOST) -> HubFile:
    """A hub that boxes can join; its broker, once it runs, is at free ports of this machine."""
    file = hub_file(folder, limits=MANY)
    boxes = Boxes(host=host, port=free_port(), listen="127.0.0.1")
    return file.model_copy(update={"boxes": boxes})


def hub_account(file: HubFile) -> HubBroker:
    """How the hub itself reaches its broker."""
    return HubBroker(port=free_port(), password_file=file.folder / "broker" / "hub.password")


async def claim(hub: Running, file: HubFile, *, home: str | None = None, now: datetime | None = None) -> Code:
    """What `perron hub-claim` does."""
    at = now or hub.hub.now()
    authority = Authority.at(file.folder, now=at)
    return await admin.claim(hub.hub.store, url=file.url, authority=authority.fingerprint, now=at, home=home)


@dataclass
class Box:
    """A box with its folder and its own key."""

    folder: Path
    key: BoxKey

    @classmethod
    def new(cls, folder: Path) -> "Box":
        """One that has joined nothing."""
        return cls(folder, BoxKey.fresh())

    async def join(self, code: Code, ask: enrolment.Ask = enrolment.over_http) -> enrolment.Membership:
        """What `perron join` does when the owner says yes."""
        member = await asyncio.to_thread(enrolment.join, code, self.key.public, self.folder, ask)
        enrolment.joined(self.folder)
        return member

    async def renew(
        self, file: HubFile, now: datetime, ask: enrolment.Ask = enrolment.over_http
    ) -> enrolment.Identity | None:
        """What the gateway does now and then."""
        return await asyncio.to_thread(lambda: enrolment.renew(file.url, self.folder, ask, now=now))

    async def counts(self, file: HubFile) -> bool:
        """What the line asks while it is down."""
        return await asyncio.to_thread(enrolment.counts, file.url, self.folder, enrolment.over_http)

    async def leaves(self, file: HubFile, ask: enrolment.Ask = enrolment.over_http) -> bool:
        """What the box says last."""
        return await asyncio.to_thread(enrolment.leave, file.url, self.folder, ask)

    @property
    def identity(self) -> enrolment.Identity:
        """What it proves itself by."""
        found = enrolment.identity(self.folder)
        assert found is not None
        return found


def lost(address: str, body: Mapping[str, object]) -> bytes:
    """The hub did it, and its answer is lost on the way."""
    enrolment.over_http(address, body)
    raise enrolment.HubAway("lost")


DAY = timedelta(days=1)
