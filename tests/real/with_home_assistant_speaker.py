"""A real Home Assistant speaks a sentence at the door, by the automation of the installer's page.

Run by `make test-homeassistant`, as `with_home_assistant.py`. The voice is played: a server of the Wyoming protocol,
which Piper speaks too. The player notes what it is to play.
"""

import asyncio
import contextlib
import json
import re
import textwrap
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devices.commands import SaySentence, Sound
from devices.vendors import homeassistant
from gateway.config.broker_acl import access_list, account_names
from gateway.config.home import Home
from gateway.config.topics import HOMEASSISTANT_STATUS_TOPIC, device_topic
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.door_sentences import SENTENCES
from gateway.system.mqtt_settings import BrokerSection
from tests.mosquitto import mosquitto
from tests.real.home_assistant import HomeAssistant, home_assistant
from tests.real.with_home_assistant_cover import client_of

DOCS = Path(__file__).parents[2] / "docs" / "installer" / "speaker.md"
PLAYER, PLAYED = "media_player.front_door", "input_text.played"
ENTITIES = """
input_text:
  played: {max: 255}
media_player:
  - platform: universal
    name: Front door
    commands:
      play_media:
        action: input_text.set_value
        target: {entity_id: input_text.played}
        data: {value: "{{ media_content_id }}"}
media_source:
automation:
"""
HOME = Home.model_validate(
    {
        "box": "b", "name": "n", "entrances": {},
        "devices": {
            "front-speaker": {"kind": "speaker", "vendor": "homeassistant", "address": PLAYER},
            "front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
        },
    }
)  # fmt: skip
MAKER = {"name": "tests", "url": "http://127.0.0.1"}
NAMES = {"fr": "fr_FR-siwis-medium", "de": "de_DE-thorsten-medium", "en": "en_GB-alba-medium"}  # as the page names them
VOICES = [
    {"name": name, "languages": [name.partition("-")[0]], "attribution": MAKER, "installed": True, "description": name,
     "version": "1"}
    for name in NAMES.values()
]  # fmt: skip
PROGRAM = {"name": "piper", "attribution": MAKER, "installed": True, "description": "a voice", "version": "1",
           "voices": VOICES}  # fmt: skip


@dataclass
class Voice:
    """A server of the Wyoming protocol: it notes what is to be said, and answers with silence."""

    port: int = 0
    said: list[Mapping[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                event = json.loads(line)
                data = event.get("data") or {}
                if more := event.get("data_length"):
                    data |= json.loads(await reader.readexactly(more))
                await reader.readexactly(event.get("payload_length") or 0)
                if event["type"] == "describe":
                    await _send(writer, "info", {"tts": [PROGRAM], "asr": [], "handle": [], "intent": [], "wake": [],
                                                 "mic": [], "snd": []})  # fmt: skip
                elif event["type"] == "synthesize":
                    self.said.append(data)
                    pcm = {"rate": 22_050, "width": 2, "channels": 1}
                    await _send(writer, "audio-start", pcm)
                    await _send(writer, "audio-chunk", pcm, b"\0" * 4410)
                    await _send(writer, "audio-stop", {})
        writer.close()


async def _send(writer: asyncio.StreamWriter, kind: str, data: Mapping[str, Any], payload: bytes = b"") -> None:
    head = {"type": kind, "data": data} | ({"payload_length": len(payload)} if payload else {})
    writer.write(json.dumps(head).encode() + b"\n" + payload)
    await writer.drain()


def documented() -> str:
    """The automation that the installer's page shows, as configuration.yaml takes it."""
    page = DOCS.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n# Home Assistant\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return textwrap.indent(block, "  ")


@dataclass
class Door:
    """Home Assistant with its voice, and the gateway's account."""

    ha: HomeAssistant
    voice: Voice
    say: Any


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    voice = Voice()
    server = await asyncio.start_server(voice.serve, "127.0.0.1", 0)
    voice.port = server.sockets[0].getsockname()[1]
    accounts = dict.fromkeys(account_names(HOME, homeassistant=True), "word")
    tmp_path.joinpath("word").write_text("word", encoding="utf-8")
    async with server, mosquitto(accounts, access_list(HOME, homeassistant=True)) as broker:
        born = asyncio.Event()

        def on_message(message: InboundMessage) -> None:
            if (message.topic, message.payload) == (HOMEASSISTANT_STATUS_TOPIC, b"online"):
                born.set()

        mqtt = client_of(BrokerSection(port=broker.port, password_file=tmp_path / "word"), on_message)
        running = asyncio.create_task(mqtt.run())

        def say(sound: Sound, language: str) -> str:
            text = SENTENCES[sound].to(language)
            sentence = SaySentence(id="s1", sound=sound, language=language, text=text)
            letter = homeassistant.encode_command(sentence, HOME.devices["front-speaker"].device_ref)
            mqtt.publish(device_topic(HOME, "front-speaker", letter.suffix), letter.payload, expiry=5)
            return text

        piper = {"domain": "wyoming", "data": {"host": "127.0.0.1", "port": voice.port}, "title": "piper", "version": 1}
        try:
            async with home_assistant(
                tmp_path / "hass", broker=broker.port, password="word", more=ENTITIES + documented(), entries=[piper],  # noqa: S106 - of this test's own broker
            ) as ha:  # fmt: skip
                async with asyncio.timeout(60):
                    await born.wait()
                yield Door(ha, voice, say)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_sentence_is_given_to_the_player_and_spoken_in_the_courier_s_language(door: Door) -> None:
    for language, voice in NAMES.items():
        text = door.say(Sound.GO, language)
        assert await spoken(door, text), "the sentence is a sound"
        said = next(one for one in reversed(door.voice.said) if one["text"] == text)
        assert said["voice"]["name"] == voice


async def spoken(door: Door, text: str) -> bytes:
    """Wait until the player has a sentence and the voice was asked for it; what the player would play."""
    async with asyncio.timeout(60):
        while True:
            media = await door.ha.state(PLAYED)
            if "tts" in media:
                sound = await door.ha.listen(media)
                if any(one["text"] == text for one in door.voice.said):
                    return sound
            await asyncio.sleep(0.2)
