"""The owner's phone takes what the box's own message library sends, and nothing else."""

import base64
import json
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.demo.page.phone import Buzz, Phone, read
from gateway.runtime.notifications.apprise import ApprisePhone, Heard
from gateway.runtime.notifications.batching import Notice

PICTURE = b"\xff\xd8\xff\xe0 a picture"


async def told(notice: Notice, scratch: Path) -> list[Buzz]:
    buzzes: list[Buzz] = []
    async with Phone(buzzes.append) as phone:
        sender = ApprisePhone(f"json://127.0.0.1:{phone.port}/fr", key=b"k", scratch=scratch)
        assert await sender.tell(notice) is Heard.TAKEN
    return buzzes


async def test_it_shows_text_and_picture_as_the_box_sent_them(tmp_path: Path) -> None:
    (buzz,) = await told(Notice(title="La maison", text="Reverrouillé à 20:00", picture=PICTURE), tmp_path)
    assert buzz == Buzz(title="La maison", text="Reverrouillé à 20:00", urgent=False, picture=PICTURE, language="fr")


async def test_an_alarm_is_urgent(tmp_path: Path) -> None:
    (buzz,) = await told(Notice(title="La maison", text="Alerte", urgent=True), tmp_path)
    assert (buzz.urgent, buzz.picture) == (True, None)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"title": 1, "message": "x", "type": "info"}', b"\xff"])
async def test_anything_else_is_refused_and_shown_nowhere(body: bytes) -> None:
    assert read(body) is None
    buzzes: list[Buzz] = []
    async with Phone(buzzes.append) as phone, ClientSession() as session:
        answer = await session.post(f"http://127.0.0.1:{phone.port}/fr", data=body)
        assert answer.status == 400
    assert buzzes == []


@pytest.mark.parametrize(("sent", "picture"), [(PICTURE, PICTURE), (b"<svg/>", None)])
def test_only_a_jpeg_is_a_picture(sent: bytes, picture: bytes | None) -> None:
    attached = [{"base64": base64.b64encode(sent).decode(), "filename": "x.jpg"}]
    buzz = read(json.dumps({"title": "a", "message": "b", "type": "info", "attachments": attached}).encode())
    assert buzz is not None
    assert buzz.picture == picture
