"""The people of a scenario: courier, owner, household and retailer."""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from devices.simulators import control as ask
from gateway.cli.broker import open_session, publish
from gateway.config.home import Home
from gateway.config.topics import OFFER_TOPIC, entrance_topic
from gateway.demo.observers import Body, GatewayObserver
from gateway.demo.plan import RetailerKey
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.promise import Cancel, Claims, Offer, Window
from gateway.protocol.delivery_message import sign_delivery
from gateway.system.clock import machine_time

TIMEOUT_MARGIN_S = 20.0  # beyond the expected time, for a busy machine
MESSAGE_LIFETIME_S = 3600  # seconds that a signed message counts

DEFAULT_PARCEL_CODES = ("8L20524752032",)  # a Colissimo number with its right check digit

OnAction = Callable[[str, str], None]
"""Called with who does what, before it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedDelivery:
    """An announced delivery, and the box's answer to it."""

    brand: str
    id: str
    version: int
    codes: tuple[str, ...]
    courier_code: str
    window: Window
    answer: Body

    @property
    def accepted(self) -> bool:
        """Whether the box has accepted it."""
        return self.answer.get("accepted") is True

    @property
    def key(self) -> str:
        """Its key in the box's store."""
        return f"{self.brand}.{self.id}"


class DemoRetailer:
    """Announces deliveries, signed with a brand's key, with the broker's account for retailers."""

    def __init__(
        self, home: Home, entrance: str, signers: Sequence[RetailerKey], observer: GatewayObserver, on_action: OnAction
    ) -> None:
        self._home, self._entrance, self._signers, self._observer = home, entrance, signers, observer
        self._on_action = on_action

    async def promise(  # noqa: PLR0913 - a promise's fields, each with its usual value
        self,
        *,
        codes: Sequence[str] = DEFAULT_PARCEL_CODES,
        place: str | None = None,
        starts_in: float = -60,
        ends_in: float = 3600,
        max_celsius: float | None = None,
        id_: str | None = None,
        brand: int = 0,
    ) -> PromisedDelivery:
        """Offer a delivery and wait for the box's answer. Windows are in seconds from now.

        Raises:
            WaitTimeout: the box did not answer.
        """
        signer, secret = self._signers[brand], secrets.token_bytes(COURIER_TOKEN_BYTES)
        section, now = self._home.entrances[self._entrance], machine_time().replace(microsecond=0)
        window = Window(start=now + timedelta(seconds=starts_in), end=now + timedelta(seconds=ends_in))
        carrier = self._home.brands[signer.brand].permission.carriers[0]
        offer = Offer(
            id=id_ or f"order-{secrets.token_hex(3)}",
            version=1,
            entrance=self._entrance,
            carrier=carrier,
            place=place or next(name for name, spot in section.places.items() if spot.fridge is None),
            window=window,
            parcels=tuple(codes),
            courier_sha256=courier_token_digest(secret),
            max_celsius=max_celsius,
        )
        self._on_action("retailer", f"announces {offer.id}")
        answer = await self._send(signer, offer)
        return PromisedDelivery(
            brand=signer.brand, id=offer.id, version=1, codes=tuple(codes), courier_code=new_courier_token(secret),
            window=window, answer=answer,
        )  # fmt: skip

    async def cancel(self, id_: str, *, version: int = 2, brand: int = 0) -> Body:
        """Cancel a delivery and wait for the box's answer.

        Raises:
            WaitTimeout: the box did not answer.
        """
        self._on_action("retailer", f"cancels {id_}")
        return await self._send(self._signers[brand], Cancel(id=id_, version=version))

    async def _send(self, signer: RetailerKey, delivery: Offer | Cancel) -> Body:
        seconds = int(machine_time().timestamp())
        claims = Claims(
            iss=signer.brand, aud=self._home.box, iat=seconds, nbf=seconds, exp=seconds + MESSAGE_LIFETIME_S,
            jti=secrets.token_urlsafe(18), delivery=delivery,
        )  # fmt: skip
        async with open_session(self._home.broker.account("retailer"), []) as guest:
            await publish(guest, OFFER_TOPIC, sign_delivery(claims, signer.key, kid=signer.kid))

        def answers() -> list[Body]:
            return [body for body in self._observer.bodies("result") if body.get("answers") == claims.jti]

        await self._observer.wait_until(f"the box's answer to {delivery.do} {delivery.id}", lambda: bool(answers()),
                                within=TIMEOUT_MARGIN_S)  # fmt: skip
        return answers()[0]


class DemoOwner:
    """Sends the owner's requests, with the owner's own account."""

    def __init__(self, home: Home, entrance: str, on_action: OnAction) -> None:
        self._broker, self._topic = home.broker.account("owner"), entrance_topic(entrance, "set")
        self._on_action = on_action

    async def send_request(self, action: str, **facts: str) -> None:
        """Publish one request (`gateway.protocol.owner_requests`)."""
        self._on_action("owner", action.replace("_", " "))
        body: dict[str, Any] = {"id": secrets.token_hex(8), "do": action, **facts}
        async with open_session(self._broker, []) as guest:
            await publish(guest, self._topic, json.dumps(body).encode())


class DemoPerson:
    """A person at the door: the courier, a resident, a thief."""

    def __init__(self, name: str, house: ask.HouseControl, on_action: OnAction, action_s: float) -> None:
        """`action_s` is the duration of each action in seconds; a scan takes none: two codes are then one label."""
        self._name, self._house, self._on_action, self._action_s = name, house, on_action, action_s

    async def _do(self, description: str, request: ask.Request) -> None:
        self._on_action(self._name, description)
        await self._house.ask(request)
        if not isinstance(request, ask.Scan):
            await asyncio.sleep(self._action_s)

    async def arrives(self) -> None:
        """Come to the door."""
        await self._do("comes to the door", ask.Arrive(who=self._name))

    async def scans(self, code: str, *, retain: bool = False, event: str | None = None) -> None:
        """Hold a code before the scanner."""
        shown = "the one-time code" if code.startswith("perron:") else f"…{code[-4:]}"
        await self._do(f"scans {shown}", ask.Scan(who=self._name, code=code, retain=retain, event=event))

    async def opens(self) -> None:
        """Push the door open."""
        await self._do("opens the door", ask.OpenDoor(who=self._name))

    async def closes(self) -> None:
        """Close the door from where one stands."""
        await self._do("closes the door", ask.CloseDoor(who=self._name))

    async def walks_in(self) -> None:
        """Go in through the open door."""
        await self._do("goes in", ask.WalkIn(who=self._name))

    async def walks_out(self) -> None:
        """Go out through the open door."""
        await self._do("comes out", ask.WalkOut(who=self._name))

    async def puts_parcel(self) -> None:
        """Put a parcel down."""
        await self._do("puts a parcel down", ask.PutParcel(who=self._name))

    async def leaves(self) -> None:
        """Go away."""
        await self._do("goes away", ask.Leave(who=self._name))

    async def goes_in(self) -> None:
        """Open, go in and put a parcel down."""
        await self.opens()
        await self.walks_in()
        await self.puts_parcel()

    async def comes_out(self) -> None:
        """Come out, close the door and go away."""
        await self.walks_out()
        await self.closes()
        await self.leaves()

    async def opens_fridge(self) -> None:
        """Open the fridge."""
        await self._do("opens the fridge", ask.OpenFridge(who=self._name))

    async def closes_fridge(self) -> None:
        """Close the fridge."""
        await self._do("closes the fridge", ask.CloseFridge(who=self._name))

    async def turns_key(self) -> None:
        """Unlock from outside with the mechanical key."""
        await self._do("turns the key", ask.TurnKey(who=self._name))

    async def locks_by_hand(self) -> None:
        """Throw the bolt by hand."""
        await self._do("locks by hand", ask.LockByHand(who=self._name))

    async def answers(self) -> None:
        """Press the answer button inside."""
        await self._do("answers inside", ask.PressAnswer(who=self._name))

    async def turns_thumb_turn(self) -> None:
        """Unlock by hand from inside."""
        await self._do("unlocks by hand", ask.ThumbTurn(who=self._name))

    async def forces(self) -> None:
        """Break the door open."""
        await self._do("forces the door", ask.Force(who=self._name))
