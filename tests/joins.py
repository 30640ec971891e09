"""Homes that join a real hub, for tests: its broker's files, claims, and boxes with a folder of their own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.hub import admin
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.config import Boxes, HubBroker, HubFile
from gateway.integrations.hub_client import enrolment
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.enrolment import ClaimCode
from gateway.protocol.keys import BoxKey
from tests.hubs import HIGH_LIMITS, RunningHub, hub_file

HOST = "localhost"


def with_boxes(folder: Path, *, host: str = HOST) -> HubFile:
    """A hub that boxes can join; its broker, once it runs, is at free ports of this machine."""
    file = hub_file(folder, limits=HIGH_LIMITS)
    boxes = Boxes(host=host, port=free_port(), listen="127.0.0.1")
    return file.model_copy(update={"boxes": boxes})


def hub_account(file: HubFile) -> HubBroker:
    """How the hub itself reaches its broker."""
    return HubBroker(port=free_port(), password_file=file.folder / "broker" / "hub.password")


async def create_claim(
    hub: RunningHub, file: HubFile, *, home: str | None = None, now: datetime | None = None
) -> ClaimCode:
    """What `perron hub-claim` does."""
    at = now or hub.hub.now()
    authority = HubAuthority.load(file.folder, now=at)
    return await admin.create_claim(hub.hub.store, url=file.url, fingerprint=authority.fingerprint, now=at, home=home)


@dataclass
class JoiningBox:
    """A box with its folder and its own key."""

    folder: Path
    key: BoxKey

    @classmethod
    def new(cls, folder: Path) -> "JoiningBox":
        """One that has joined nothing."""
        return cls(folder, BoxKey.generate())

    async def join(self, code: ClaimCode, ask: enrolment.HttpPost = enrolment.http_request) -> enrolment.HubMembership:
        """What `perron join` does when the owner says yes."""
        member = await asyncio.to_thread(enrolment.join_hub, code, self.key.public, self.folder, ask)
        enrolment.finish_join(self.folder)
        return member

    async def renew(
        self, file: HubFile, now: datetime, ask: enrolment.HttpPost = enrolment.http_request
    ) -> enrolment.HubIdentity | None:
        """What the gateway does now and then."""
        return await asyncio.to_thread(lambda: enrolment.renew_certificate(file.url, self.folder, ask, now=now))

    async def counts(self, file: HubFile) -> bool | None:
        """What the line asks while it is down."""
        return await asyncio.to_thread(enrolment.is_accepted, file.url, self.folder, enrolment.http_request)

    async def leaves(self, file: HubFile, ask: enrolment.HttpPost = enrolment.http_request) -> bool:
        """What the box says last."""
        return await asyncio.to_thread(enrolment.leave_hub, file.url, self.folder, ask)

    @property
    def identity(self) -> enrolment.HubIdentity:
        """What it proves itself by."""
        found = enrolment.read_identity(self.folder)
        assert found is not None
        return found


def lose_answer(address: str, body: Mapping[str, object]) -> bytes:
    """The hub did it, and its answer is lost on the way."""
    enrolment.http_request(address, body)
    raise enrolment.HubUnavailable("lost")


DAY = timedelta(days=1)
