"""The owner's phone takes what the box's own message library sends, and nothing else."""

import base64
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.demo.page.phone import DemoPhone, PhoneMessage, parse_message
from gateway.runtime.notifications.apprise import ApprisePhone, SendResult
from gateway.runtime.notifications.batching import PhoneNotification

PICTURE = b"\xff\xd8\xff\xe0 a picture"


async def told(notice: PhoneNotification, scratch: Path) -> list[PhoneMessage]:
    buzzes: list[PhoneMessage] = []
    async with DemoPhone(buzzes.append) as phone:
        sender = ApprisePhone(f"json://127.0.0.1:{phone.port}/fr", key=b"k", scratch=scratch)
        assert await sender.send(notice) is SendResult.TAKEN
    return buzzes


async def test_it_shows_text_and_picture_as_the_box_sent_them(tmp_path: Path) -> None:
    (buzz,) = await told(PhoneNotification(title="La maison", text="Reverrouillé à 20:00", picture=PICTURE), tmp_path)
    assert buzz == PhoneMessage(
        title="La maison", text="Reverrouillé à 20:00", urgent=False, picture=PICTURE, language="fr"
    )


async def test_an_alarm_is_urgent(tmp_path: Path) -> None:
    (buzz,) = await told(PhoneNotification(title="La maison", text="Alerte", urgent=True), tmp_path)
    assert (buzz.urgent, buzz.picture) == (True, None)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"title": 1, "message": "x", "type": "info"}', b"\xff"])
async def test_anything_else_is_refused_and_shown_nowhere(body: bytes) -> None:
    assert parse_message(body) is None
    buzzes: list[PhoneMessage] = []
    async with DemoPhone(buzzes.append) as phone, ClientSession() as session:
        answer = await session.post(f"http://127.0.0.1:{phone.port}/fr", data=body)
        assert answer.status == 400
    assert buzzes == []


@pytest.mark.parametrize(("sent", "picture"), [(PICTURE, PICTURE), (b"<svg/>", None)])
def test_only_a_jpeg_is_a_picture(sent: bytes, picture: bytes | None) -> None:
    attached = [{"base64": base64.b64encode(sent).decode(), "filename": "x.jpg"}]
    buzz = parse_message(json.dumps({"title": "a", "message": "b", "type": "info", "attachments": attached}).encode())
    assert buzz is not None
    assert buzz.picture == picture
