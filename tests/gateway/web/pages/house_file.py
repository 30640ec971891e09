"""A box with a house file of its own, whose pages change that file."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientSession

from gateway.config.loader import load_home_file
from gateway.web.auth.accounts import SessionSecrets
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site

ENGLISH = {"Accept-Language": "en"}
PAGE = "/installation/add"


@dataclass
class Home:
    """The pages of a box that has a house file; `reread`: how often it was told to read that anew."""

    site: ServedSite
    file: Path
    reread: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.site.box.home.storage.folder / "proposals"

    def lies(self) -> list[str]:
        return sorted(file.name for file in self.folder.glob("*"))

    async def page(self, who: SessionSecrets, path: str = PAGE) -> str:
        async with self.site.client(who) as client, client.get(path, headers=ENGLISH) as answer:
            assert answer.status == 200
            return await answer.text()

    async def post(self, who: SessionSecrets, fields: Mapping[str, str], do: str = "") -> tuple[int, str]:
        async with self.site.client(who) as client:
            return await posted(client, fields, do)


async def posted(client: ClientSession, fields: Mapping[str, str], do: str = "") -> tuple[int, str]:
    path = f"{PAGE}/{do}" if do else PAGE
    async with client.post(path, data=fields, headers=ENGLISH, allow_redirects=False) as answer:
        return answer.status, await answer.text()


@asynccontextmanager
async def home_with_file(folder: Path, devices: Mapping[str, object]) -> AsyncIterator[Home]:
    """The house of the shell's tests with these devices too, its file in a folder apart from the box's."""
    for name in ("etc", "box"):
        (folder / name).mkdir()
    document = make_home(folder / "box").model_dump(mode="json")
    file = folder / "etc" / "home.yaml"
    file.write_text(json.dumps(document | {"devices": document["devices"] | devices}), encoding="utf-8")
    reread: list[str] = []
    async with (
        box(folder / "box", load_home_file(file)) as made,
        run_box(made),
        serve_site(made, file=file, reread=lambda: reread.append("")) as site,
    ):
        yield Home(site, file, reread)
