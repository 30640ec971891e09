"""The people of a scenario: courier, owner, household and retailer."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from devices.simulators.control import REQUEST, Handle, HouseControl, Scan, TypeCode
from gateway.cli.broker import open_session, publish
from gateway.config.topics import OFFER_TOPIC, entrance_topic
from gateway.demo.observers import Body, GatewayObserver
from gateway.demo.plan import DemoPlan, RetailerKey
from gateway.demo.wording import REQUEST_TEXTS, THE_DOOR, DoorNames, act_text
from gateway.domain.delivery.barcodes import COURIER_TOKEN_BYTES, courier_token_digest, new_courier_token
from gateway.domain.delivery.features import Feature, used_features
from gateway.domain.delivery.promise import Cancel, Claims, Offer, TimeRequest, Window
from gateway.domain.delivery.promise_v2 import ClaimsV2, ItemLine, OfferV2, ParcelSize
from gateway.domain.frozen import Frozen
from gateway.protocol.delivery_message import new_claims, sign_delivery
from gateway.system.clock import machine_time

DEFAULT_PARCEL_CODES = ("8L20524752032",)  # a Colissimo number with its right check digit

OnAction = Callable[[str, str], None]
"""Called with who does what, before it is done."""


class PromisedDelivery(Frozen):
    """An announced delivery, and the box's answer to it."""

    brand: str
    id: str
    codes: tuple[str, ...]
    courier_code: str
    window: Window
    answer: Body


class DemoRetailer:
    """Announces deliveries, signed with a brand's key, with the broker's account for retailers."""

    def __init__(self, plan: DemoPlan, observer: GatewayObserver, on_action: OnAction) -> None:
        self._plan, self._home, self._observer, self._on_action = plan, plan.home, observer, on_action
        self._signers = tuple(plan.signers.values())

    async def promise(  # noqa: PLR0913 - a promise's fields, each with its usual value
        self,
        *,
        codes: Sequence[str] = DEFAULT_PARCEL_CODES,
        destination: str | None = None,
        place: str | None = None,
        starts_in: float = -60,
        ends_in: float = 3600,
        max_celsius: float | None = None,
        size: tuple[int, int, int] | None = None,
        collect: Sequence[str] = (),
        items: Sequence[ItemLine] = (),
        robot: bool = False,
        id_: str | None = None,
        brand: int = 0,
    ) -> PromisedDelivery:
        """Offer a delivery and wait for the box's answer (`WaitTimeout`). Windows are in seconds from now.

        Without `destination`, an entrance or a reception, it goes to the entrance of the scene, and there to a place
        without a fridge or `place`. `size`: of the largest parcel in millimetres. `collect`: the parcels that the
        courier takes with him. `items`: with limits and places of their own. `robot`: a robot brings it. Each needs an
        order of version 2.
        """
        signer, secret = self._signers[brand], secrets.token_bytes(COURIER_TOKEN_BYTES)
        now = machine_time().replace(microsecond=0)
        body = Offer(
            id=id_ or f"order-{secrets.token_hex(3)}",
            version=1,
            entrance=destination or self._plan.entrance,
            carrier=self._home.brands[signer.brand].permission.carriers[0],
            place=place or self._usual_place(destination),
            window=Window(start=now + timedelta(seconds=starts_in), end=now + timedelta(seconds=ends_in)),
            parcels=tuple(codes),
            courier_sha256=courier_token_digest(secret),
            max_celsius=max_celsius,
        )
        offer = _with_features(body, size, collect=tuple(collect), items=tuple(items), robot=robot)
        self._on_action("retailer", f"announces {offer.id}")
        return PromisedDelivery(
            brand=signer.brand, id=offer.id, codes=offer.parcels, courier_code=new_courier_token(secret),
            window=offer.window, answer=await self._send(signer, offer),
        )  # fmt: skip

    def _usual_place(self, destination: str | None) -> str:
        if destination in self._home.receptions:
            return destination
        section = self._plan.section if destination is None else self._home.entrances[destination]
        return next(name for name, spot in section.places.items() if spot.fridge is None)

    async def cancel(self, id_: str, *, version: int = 2) -> Body:
        """Cancel a delivery and wait for the box's answer (`WaitTimeout`)."""
        self._on_action("retailer", f"cancels {id_}")
        return await self._send(self._signers[0], Cancel(id=id_, version=version))

    async def ask_for_time(self, parcels: PromisedDelivery) -> Body:
        """Ask the household for more time for a late courier, and wait for the box's answer (`WaitTimeout`)."""
        self._on_action("retailer", f"asks for half an hour more for {parcels.id}")
        signer = next(one for one in self._signers if one.brand == parcels.brand)
        return await self._send(signer, TimeRequest(id=parcels.id, version=1, needs=(Feature.MORE_TIME,)))

    async def _send(self, signer: RetailerKey, delivery: Offer | Cancel | TimeRequest) -> Body:
        fields = new_claims(signer.brand, self._home.box, machine_time())
        claims = (
            ClaimsV2(**fields, delivery=delivery)
            if isinstance(delivery, OfferV2 | TimeRequest)
            else Claims(**fields, delivery=delivery)
        )
        async with open_session(self._home.broker.account("retailer"), []) as session:
            await publish(session, OFFER_TOPIC, sign_delivery(claims, signer.key, kid=signer.kid))

        def answers() -> list[Body]:
            return [body for body in self._observer.bodies("result") if body.get("answers") == claims.jti]

        return (await self._observer.wait_until(f"the box's answer to {delivery.do} {delivery.id}", answers))[0]


def _with_features(
    offer: Offer,
    size: tuple[int, int, int] | None,
    *,
    collect: tuple[str, ...],
    items: tuple[ItemLine, ...],
    robot: bool,
) -> Offer:
    """Return the order with the features that it uses, or as it is."""
    used: dict[str, Any] = {name: value for name, value in (("collect", collect), ("items", items)) if value}
    if robot:
        used |= {"holder": "robot", "yes_each": True}
    if size is not None:
        length, width, height = size
        used["dimensions"] = ParcelSize(length=length, width=width, height=height)
    if not used:
        return offer
    facts = {name: getattr(offer, name) for name in Offer.model_fields}
    return OfferV2(**facts, **used, needs=used_features(used))


class DemoOwner:
    """Sends the owner's requests, with the owner's own account."""

    def __init__(self, plan: DemoPlan, on_action: OnAction, *, entrance: str | None = None) -> None:
        """`entrance`: the entrance of the requests; None: the entrance of the scene."""
        self._broker = plan.home.broker.account("owner")
        self._topic = entrance_topic(entrance or plan.entrance, "set")
        self._on_action = on_action

    async def send_request(self, action: str, **facts: object) -> None:
        """Publish one request (`gateway.protocol.owner_requests`)."""
        self._on_action("owner", REQUEST_TEXTS.get(action, action.replace("_", " ")))
        body: dict[str, Any] = {"id": secrets.token_hex(8), "do": action, **facts}
        async with open_session(self._broker, []) as session:
            await publish(session, self._topic, json.dumps(body).encode())


PersonAction = Literal[
    "arrive", "leave", "open", "close", "force", "walk_in", "walk_out", "turn_key", "thumb_turn", "lock_by_hand",
    "answer", "put_parcel", "open_fridge", "close_fridge",
]  # fmt: skip
"""The name of a request to the simulated house (`devices.simulators.control`) that needs nothing but the person."""

ACTION_TEXTS: Mapping[PersonAction, str] = {
    "arrive": "comes to the door",
    "leave": "goes away",
    "open": "opens the door",
    "close": "closes the door",
    "force": "forces the door",
    "walk_in": "goes in",
    "walk_out": "comes out",
    "turn_key": "turns the key",
    "thumb_turn": "unlocks by hand",
    "lock_by_hand": "locks by hand",
    "answer": "answers inside",
    "put_parcel": "puts a parcel down",
    "open_fridge": "opens the fridge",
    "close_fridge": "closes the fridge",
}


class DemoPerson:
    """A person at the door: the courier, a resident, a thief."""

    says_scanned = "the one-time code"

    def __init__(  # noqa: PLR0913 - each part of a person's world has a name
        self,
        name: str,
        house: HouseControl,
        on_action: OnAction,
        action_s: float,
        *,
        scanner: str,
        doors: DoorNames = THE_DOOR,
    ) -> None:
        """`action_s` is the duration of each action in seconds; a scan takes none: two codes are then one label.

        `scanner` is the one before which codes are held, unless another one is named; `doors` are the names of doors.
        """
        self._name, self._house, self._on_action, self._action_s = name, house, on_action, action_s
        self._scanner, self._doors = scanner, doors

    async def does(self, *actions: PersonAction) -> None:
        """Do these things one after the other."""
        for action in actions:
            self._on_action(self._name, ACTION_TEXTS[action])
            await self._house.ask(REQUEST.validate_python({"do": action, "who": self._name}))
            await asyncio.sleep(self._action_s)

    async def scans(self, code: str, *, retain: bool = False, scanner: str | None = None) -> None:
        """Hold a code before the scanner, or before this one."""
        self._on_action(self._name, f"scans {self.says_scanned if code.startswith('perron:') else f'…{code[-4:]}'}")
        await self._house.ask(Scan(who=self._name, code=code, retain=retain, scanner=scanner or self._scanner))

    async def types(self, code: str) -> None:
        """Come to the door and type a code at the keypad."""
        self._on_action(self._name, "types a code at the keypad")
        await self._house.ask(TypeCode(who=self._name, code=code))
        await asyncio.sleep(self._action_s)

    async def handles(self, thing: str, *acts: str) -> None:
        """Do these things to a street door, a compartment, a key safe, one after the other."""
        for act in acts:
            self._on_action(self._name, act_text(act, thing, self._doors))
            await self._house.ask(Handle(who=self._name, thing=thing, act=act))
            await asyncio.sleep(self._action_s)

    async def goes_in(self) -> None:
        """Open, go in and put a parcel down."""
        await self.does("open", "walk_in", "put_parcel")

    async def comes_out(self) -> None:
        """Come out, close the door and go away."""
        await self.does("walk_out", "close", "leave")
