"""The owner's phone takes what the box's own message library sends, and nothing else."""

import base64
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.demo.page.phone import DemoPhone, PhoneMessage
from gateway.runtime.notifications.apprise import ApprisePhone
from gateway.runtime.notifications.batching import PhoneNotification
from gateway.runtime.notifications.phone import SendResult

PICTURE = b"\xff\xd8\xff\xe0 a picture"


async def told(notice: PhoneNotification, scratch: Path) -> list[tuple[PhoneMessage, str]]:
    buzzes: list[tuple[PhoneMessage, str]] = []
    async with DemoPhone(lambda *buzz: buzzes.append(buzz)) as phone:
        sender = ApprisePhone(f"json://127.0.0.1:{phone.port}/fr", key=b"k", scratch=scratch)
        assert await sender.send(notice) is SendResult.TAKEN
    return buzzes


async def test_it_shows_text_and_picture_as_the_box_sent_them(tmp_path: Path) -> None:
    notice = PhoneNotification(title="La maison", text="Reverrouillé à 20:00", picture=PICTURE)
    ((buzz, language),) = await told(notice, tmp_path)
    assert (buzz.title, buzz.message, language) == ("La maison", "Reverrouillé à 20:00", "fr")
    assert (buzz.type == "warning", buzz.picture) == (False, PICTURE)


async def test_an_alarm_is_urgent(tmp_path: Path) -> None:
    ((buzz, _language),) = await told(PhoneNotification(title="La maison", text="Alerte", urgent=True), tmp_path)
    assert (buzz.type == "warning", buzz.picture) == (True, None)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"title": 1, "message": "x", "type": "info"}', b"\xff"])
async def test_anything_else_is_refused_and_shown_nowhere(body: bytes) -> None:
    buzzes: list[tuple[PhoneMessage, str]] = []
    async with (
        DemoPhone(lambda *buzz: buzzes.append(buzz)) as phone,
        ClientSession() as session,
        session.post(f"http://127.0.0.1:{phone.port}/fr", data=body) as answer,
    ):
        assert answer.status == 400
    assert buzzes == []


@pytest.mark.parametrize(("sent", "picture"), [(PICTURE, PICTURE), (b"<svg/>", None)])
def test_only_a_jpeg_is_a_picture(sent: bytes, picture: bytes | None) -> None:
    attached = [{"base64": base64.b64encode(sent).decode(), "filename": "x.jpg"}]
    body = {"title": "a", "message": "b", "type": "info", "attachments": attached}
    assert PhoneMessage.model_validate_json(json.dumps(body)).picture == picture
