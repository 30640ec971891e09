"""What commands have in common when they speak to the house's broker."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence

from gateway.cli.failure import Exit, Failure, ourselves, plain, relative
from gateway.config import Broker, ConfigError
from gateway.mqtt import Guest, Incoming, NotSent, visit

ANSWER = 10.0  # seconds for the broker to take a message
NOBODY = 0x10  # MQTT 5: taken, but nobody listens
TRY_DOCTOR = "`perron doctor` looks for the cause."


@contextlib.asynccontextmanager
async def logged_in(broker: Broker, topics: Sequence[str], *, qos: int = 1) -> AsyncIterator[Guest]:
    """Visit the broker as `broker.username`, hearing `topics`.

    Raises:
        Failure: it cannot be reached, or it refuses this account.
    """
    try:
        async with visit(broker, topics, monotonic=asyncio.get_running_loop().time, qos=qos) as guest:
            yield guest
    except ConnectionError as error:
        why, todo = explained(str(error), broker)
        raise Failure(
            f"There is no talking to the broker at {broker.host}:{broker.port} as {broker.username!r}: {why}.",
            todo,
            Exit.SILENT,
        ) from error
    except ConfigError as error:
        raise Failure(
            str(error), "The passwords of all accounts lie beside broker.password_file of the house file."
        ) from error


def explained(error: str, broker: Broker) -> tuple[str, str]:
    """Put what the network or the broker said into words, with what to do about it."""
    folder = "FOLDER" if broker.password_file is None else relative(broker.password_file.parent)
    told = error.lower()
    if "certificate" in told or "tls" in told:
        return error, _mended(told, broker, folder)
    if broker.tls is None and ("timed out" in told or "disconnected" in told) and _reached(broker):
        todo = "Look at the broker's own log. If it speaks TLS, say `tls: {ca: FILE}` under broker in the house file."
        return "somebody listens there, but does not answer in plain words (perhaps by TLS)", todo
    if "refused" in told:
        start = f"`mosquitto -c {folder}/mosquitto.conf` (`{ourselves()} broker-config {folder}` writes that file)"
        return "nobody listens there", f"Start it: {start}. To try things, `perron simulate --broker` brings one."
    if "authori" in told or "user name or password" in told:
        return (
            "it refuses this account",
            f"Write its accounts with `{ourselves()} broker-config {folder}`, then start it anew.",
        )
    if "name or service" in told or "address associated" in told or "name resolution" in told:
        return "no machine of that name is known", "Correct broker.host in the house file."
    if "timed out" in told or "unreachable" in told or "no route" in told:
        return "it does not answer", "Look at the network, and at broker.host and broker.port in the house file."
    if "reset" in told and broker.tls is not None:
        return "it broke off: it does not speak TLS there", "Correct broker.port, or write the broker's files anew."
    return plain(ConnectionError(error)), "Look at the broker's own log."


def _reached(broker: Broker) -> bool:
    """Whether the broker's port takes connections."""
    with contextlib.suppress(OSError), socket.create_connection((broker.host, broker.port), timeout=1):
        return True
    return False


def _mended(told: str, broker: Broker, folder: str) -> str:
    """What to do about a TLS connection that did not come about."""
    if "expired" in told:
        return f"Renew it where the broker runs: `{ourselves()} broker-config {folder} --renew`."
    if "good yet" in told:
        return "Set the clock of this machine and of the broker's."
    if "another name" in told:
        todo = f"Write it for that name: `{ourselves()} broker-config {folder} --name {broker.host}`"
        return f"{todo}, or correct broker.host."
    if "speak tls" in told:
        return "Start the broker with the mosquitto.conf that `perron broker-config` wrote, or correct broker.port."
    return (
        "Copy authority.pem anew out of the folder of the broker that you mean; ask who answers there if it is another."
    )


async def say(guest: Guest, topic: str, payload: bytes, *, expiry: int | None = None) -> None:
    """Publish once and wait until the broker has it and somebody listens.

    Raises:
        Failure: not sent, refused, or nobody listens.
    """
    outcome = guest.publish(topic, payload, expiry=expiry)
    if isinstance(outcome, NotSent):
        raise Failure(f"Nothing was sent to {topic}: {outcome.why.value}.", TRY_DOCTOR, Exit.SILENT)
    try:
        async with asyncio.timeout(ANSWER):
            code = (await outcome.acknowledged).code
    except TimeoutError:
        raise Failure(
            f"The broker does not say within {ANSWER:.0f} s that it took what was sent to {topic}.",
            "It may have arrived: look.",
            Exit.SILENT,
        ) from None
    if code is None:
        raise Failure(f"The broker was lost while sending to {topic}.", "It may have arrived: look.", Exit.SILENT)
    if code >= 0x80:
        raise Failure(
            f"The broker does not let this account write to {topic} (MQTT 5 reason {code:#x}).",
            "Write the broker's files anew with `perron broker-config`, and let it read them.",
        )
    if code == NOBODY:
        raise Failure(f"Nobody listens to {topic}.", "Is the gateway running? Start it with `perron run`.", Exit.SILENT)


async def heard(guest: Guest, wanted: Callable[[Incoming], bool], *, within: float) -> Incoming | None:
    """Wait for a message that is `wanted`; None when none came in time (seconds)."""
    try:
        async with asyncio.timeout(within):
            while True:
                incoming = await guest.hear()
                if wanted(incoming):
                    return incoming
    except TimeoutError:
        return None


def body_of(incoming: Incoming) -> dict[str, object]:
    """Read a message as one JSON object; what is none is empty."""
    try:
        body = json.loads(incoming.payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
