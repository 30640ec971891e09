"""Lets a command publish and receive at the house's broker."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.lines import expand_commands, quoted_path, relative_path
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.diagnostics.connection_errors import connection_error
from gateway.installation.diagnostics.finding import sentence_text
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.packets import InboundMessage, NotSent
from gateway.system.config_section import ConfigError
from gateway.system.mqtt_settings import BrokerSection

ACKNOWLEDGEMENT_TIMEOUT_S = 10.0  # seconds for the broker to take a message
ANSWER_TIMEOUT_S = 10.0  # seconds for the gateway to answer
NO_MATCHING_SUBSCRIBERS = 0x10  # MQTT 5 reason code: accepted, but no client subscribes
DOCTOR_HINT = "`perron doctor` looks for the cause."


@contextlib.asynccontextmanager
async def open_session(broker: BrokerSection, topics: Sequence[str]) -> AsyncIterator[ShortSession]:
    """Connect to the broker as `broker.username`, with `topics` subscribed."""
    try:
        async with connect_once(broker, topics, monotonic=asyncio.get_running_loop().time) as session:
            yield session
    except ConnectionError as error:
        why, todo = explain_error(str(error), broker)
        what = f"The broker cannot be used at {broker.host}:{broker.port} as {broker.username!r}: {why}."
        raise Failure(what, todo, ExitCode.NO_ANSWER) from error
    except ConfigError as error:
        todo = "The passwords of all accounts lie beside broker.password_file of the house file."
        raise Failure(str(error), todo) from error


def explain_error(error: str, broker: BrokerSection) -> tuple[str, str]:
    """Return an error of network or broker in words, and what to do about it."""
    cause, todo = connection_error(error, broker, checks_port=True)
    return sentence_text(cause, "en", show=relative_path), expand_commands(sentence_text(todo, "en", show=quoted_path))


async def publish(session: ShortSession, topic: str, payload: bytes, *, expiry: int | None = None) -> None:
    """Publish once and wait until the broker has accepted it; `Failure` also if no client subscribes to the topic."""
    outcome = session.publish(topic, payload, expiry=expiry)
    if isinstance(outcome, NotSent):
        raise Failure(f"Nothing was sent to {topic}: {outcome.value}.", DOCTOR_HINT, ExitCode.NO_ANSWER)
    look = "It may have arrived: look."
    try:
        async with asyncio.timeout(ACKNOWLEDGEMENT_TIMEOUT_S):
            code = (await outcome.acknowledged).code
    except TimeoutError:
        what = (
            f"The broker does not say within {ACKNOWLEDGEMENT_TIMEOUT_S:.0f} s that it took what was sent to {topic}."
        )
        raise Failure(what, look, ExitCode.NO_ANSWER) from None
    if code is None:
        raise Failure(f"The broker was lost while sending to {topic}.", look, ExitCode.NO_ANSWER)
    if code >= 0x80:
        what = f"The broker does not let this account write to {topic} (MQTT 5 reason {code:#x})."
        raise Failure(what, "Write the broker's files anew with `perron broker-config`, and let it read them.")
    if code == NO_MATCHING_SUBSCRIBERS:
        todo = "Is the gateway running? Start it with `perron run`."
        raise Failure(f"Nobody listens to {topic}.", todo, ExitCode.NO_ANSWER)


async def send_owner_request(home: Home, entrance: str, request: Mapping[str, Any], *, todo: str) -> str | None:
    """Send a request to an entrance with the owner's account; return None once it is done, or why it was not.

    `todo` is what a person does if no answer comes.
    """
    ident = secrets.token_hex(8)

    def answers(incoming: InboundMessage) -> bool:
        body = json_body(incoming)
        return body.get("kind") == "wish" and body.get("id") == ident

    async with open_session(home.broker.account("owner"), [entrance_topic(entrance, "event")]) as session:
        payload = json.dumps({"id": ident, **request}).encode()
        await publish(session, entrance_topic(entrance, "set"), payload, expiry=int(ANSWER_TIMEOUT_S))
        answer = await wait_for_message(session, answers, within=ANSWER_TIMEOUT_S)
    if answer is None:
        raise Failure(f"The gateway does not answer within {ANSWER_TIMEOUT_S:.0f} s.", todo, ExitCode.NO_ANSWER)
    body = json_body(answer)
    return None if body.get("accepted") is True else str(body.get("why"))


async def wait_for_message(
    session: ShortSession, wanted: Callable[[InboundMessage], bool], *, within: float
) -> InboundMessage | None:
    """Wait for a message that is `wanted`; None if none came within `within` seconds."""
    try:
        async with asyncio.timeout(within):
            while True:
                incoming = await session.receive()
                if wanted(incoming):
                    return incoming
    except TimeoutError:
        return None


def json_body(incoming: InboundMessage) -> dict[str, object]:
    """Read a message as a JSON object; empty if it is not one."""
    try:
        body = json.loads(incoming.payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
