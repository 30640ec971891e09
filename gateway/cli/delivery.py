"""`perron retailer announce`: reads a delivery's file and sends it to a box or a hub."""

import json
import re
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from gateway.cli.broker import open_session, publish, wait_for_message
from gateway.cli.failure import ExitCode, Failure, invalid_fields, read_yaml_file
from gateway.cli.lines import command_line
from gateway.cli.simulation import carries_in
from gateway.config.home import Home, PagesSection
from gateway.config.topics import OFFER_TOPIC, RESULT_TOPIC
from gateway.domain.delivery.barcodes import courier_token_digest, new_courier_token
from gateway.domain.delivery.features import used_features
from gateway.domain.delivery.promise import Claims, DeliveryResult
from gateway.domain.delivery.promise_v2 import V2_FIELDS, lowest_claims
from gateway.domain.visit.state import Holder
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.delivery_message import new_claims, sign_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.system.clock import read_clock

ANSWER_TIMEOUT_S = 10.0  # seconds
KEEPER_CODE_PLACEHOLDER = "KEEPER_CODE"
REFUSAL_HINTS = {  # what to do about some answers; the others say it by themselves
    "courier_code_missing": "Say --courier too: this entrance asks for the courier's one-time code.",
    "code_collision": "A parcel of it is promised already, in a window that overlaps: scan that one, or write another"
    " number under `parcels`.",
    "unsupported": "This box does not understand what the delivery needs: leave it out, or wait for its update.",
    "wrong_type": "This box is of an older release: leave out entrances, dimensions, items, label_rules, min_celsius"
    " and info.",
    "downgrade": "The delivery was promised with more than this: say all of it again, with `needs: []` at least.",
    "too_many": "The house keeps no more of this brand for now (500 messages a day for each entrance, and as many"
    " deliveries to come): withdraw some, or wait.",
}
_RELATIVE_TIME = re.compile(r"\+(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def courier_page_url(pages: PagesSection, secret: bytes) -> str:
    """Return the address of the courier's page. His code is in the fragment, which a browser sends to no server."""
    name = pages.host if pages.is_loopback or not pages.names else pages.names[0]
    plain = pages.port if pages.is_loopback else pages.plain_port
    at = f"https://{_url_host(name)}:{pages.port}" if plain is None else f"http://{_url_host(name)}:{plain}"
    return f"{at}/c/{courier_token_digest(secret)}#{new_courier_token(secret)}"


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def read_claims(path: Path, *, brand: str, box: str, utc: datetime, courier: bytes | None = None) -> Claims:
    """Read a promise (YAML or JSON: the message's `delivery`) and make a message of it, valid for an hour from `utc`.

    The message has the lowest version that says it. In the file a window's `start` and `end` may be written from now
    on: +5m, +2h. `needs` may be left out, and `entrance` in the list of `entrances`. Without an `id` each message
    promises a new delivery. `courier`: the 16 secret bytes of the courier's one-time code, of which the message carries
    the SHA-256 only.
    """
    body = {"id": f"order-{secrets.token_hex(3)}", **_read_file(path)}
    if courier is not None:
        body["courier_sha256"] = courier_token_digest(courier)
    window = body.get("window")
    if isinstance(window, dict):
        body["window"] = {key: _parse_instant(value, utc) for key, value in window.items()}
    accepted, entrance = body.get("entrances"), body.get("entrance")
    if isinstance(accepted, list) and entrance not in accepted:
        body["entrances"] = [entrance, *accepted]
    if V2_FIELDS & body.keys():
        body = {"needs": used_features(body), **body}
    message = {**new_claims(brand, box, utc), "delivery": {"do": "offer", "version": 1, **body}}
    try:
        return lowest_claims(message).model_validate_json(json.dumps(message))
    except ValidationError as error:
        what = "\n".join(f"{path}: {line}" for line in invalid_fields(error, skip=2, whole="delivery"))
        raise Failure(what, "See the example in `perron retailer announce --help`.") from error


def _read_file(path: Path) -> dict[str, object]:
    body = read_yaml_file(path, "Name a file with a delivery in it.")
    if not isinstance(body, dict):
        raise Failure(f"{path}: there is no delivery in it.", "See the example in `perron retailer announce --help`.")
    return body


def next_step(path: Path, home: Home, home_file: Path, *, courier: bytes | None, simulated: bool) -> str:
    """Return what happens next with the delivery in this file: who scans what where, as lines that can be pasted.

    `courier`: the secret of the courier's one-time code, if one was made. `simulated`: the simulated house runs here.
    """
    body = _read_file(path)
    parcels, destination = body.get("parcels"), str(body.get("entrance"))
    codes = [str(code) for code in parcels[:1]] if isinstance(parcels, list) else []
    section, desk = home.entrances.get(destination), home.receptions.get(destination)
    here = section.all_scanners if section is not None else () if desk is None else desk.scanners
    known = [id_ for id_, device in home.devices.items() if device.kind == "scanner"]
    at = ["--scanner", here[0]] if here and len(known) > 1 else []
    deliver = ["--deliver"] if simulated and section is not None and carries_in(home, destination) else []
    page = None if courier is None or home.pages is None else courier_page_url(home.pages, courier)
    shows_page = [] if page is None else [f"The courier's page on a phone:\n  {page}"]

    def scan(*further: str) -> str:
        return f"  $ {command_line('scan', *codes, *further, *at, *deliver, home=home_file)}"

    if desk is not None:
        offer = [f"The courier now offers the parcel at the reception {desk.name}:", scan()] if here else []
        if not here and page is None:
            what = f"The reception {desk.name} has no scanner: couriers offer parcels there on their own page."
            offer = [f"{what} Announce the delivery with --courier to get its address."]
        return "\n".join([*offer, *shows_page])
    if section is not None and section.holder is Holder.KEEPER:
        names = ", ".join(home.keepers[id_].name for id_ in section.keepers)
        what = f"A keeper ({names}) now scans the parcel, and then the keeper's own code, which the page Keepers gives:"
        return "\n".join([what, scan(KEEPER_CODE_PLACEHOLDER)])
    token = [] if courier is None else [new_courier_token(courier)]
    what = "The courier now scans the parcel" + (" and the one-time code:" if token else ":")
    return "\n".join([what, scan(*token), *shows_page])


def _parse_instant(value: object, utc: datetime) -> object:
    match = _RELATIVE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    return (utc + timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat(timespec="seconds")


async def announce(  # noqa: PLR0913 - what is promised, and by whom
    home: Home, path: Path, *, brand: str, kid: str, key: SigningKey, courier: bytes | None = None
) -> DeliveryResult:
    """Sign the delivery in the file, offer it, and return the box's answer."""
    now = read_clock(home.clock)
    claims = read_claims(path, brand=brand, box=home.box, utc=now.utc, courier=courier)
    token = sign_delivery(claims, key, kid=kid)

    def is_answer(incoming: InboundMessage) -> bool:
        """Return whether it answers our message: by its id, or by the token's hash if the box rejected the token."""
        with suppress(ValidationError):
            result = DeliveryResult.model_validate_json(incoming.payload)
            return result.answers == claims.jti or result.token_sha256 == sha256(token).hexdigest()
        return False

    async with open_session(home.broker.account("retailer"), [RESULT_TOPIC]) as session:
        await publish(session, OFFER_TOPIC, token)
        answer = await wait_for_message(session, is_answer, within=ANSWER_TIMEOUT_S)
    if answer is None:
        what = f"No answer came within {ANSWER_TIMEOUT_S:.0f} s."
        todo = "The same file may be announced again: its answer is the same. See the gateway's log."
        raise Failure(what, todo, ExitCode.NO_ANSWER)
    return DeliveryResult.model_validate_json(answer.payload)
