"""The pages of a box without broker and cameras, really served; its owner has claimed it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, CookieJar
from playwright.async_api import BrowserContext

from gateway.config.editor import HomeFileWriter
from gateway.config.home import PagesSection
from gateway.installation.proposal_workflow import Proposals
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.integrations.hub_client.session import Uplink
from gateway.runtime.supervision import SupervisionDesk
from gateway.video.client import VideoClient
from gateway.web.auth.accounts import SessionSecrets, UserAccounts
from gateway.web.auth.roles import Role
from gateway.web.server import context as web
from gateway.web.site import PagesSite
from tests.gateway.web.house import ANNA_PASSWORD, cheap_passwords, signed_in
from tests.shell.box import LINK_KEY, ShellBox

OWNER = "Anna"


@dataclass
class ServedSite:
    """The site of a box at `address` (without the last slash), and who has an account."""

    box: ShellBox
    site: PagesSite
    accounts: UserAccounts
    address: str
    owner: SessionSecrets

    async def guest(self, role: Role, name: str = "Bruno") -> SessionSecrets:
        """Somebody whom the owner invited, who has joined."""
        now = self.box.clock.now()
        await self.accounts.confirm_password(self.owner.user, ANNA_PASSWORD, now)
        invited = await self.accounts.invite(self.owner.user, role, now)
        return signed_in(await self.accounts.accept_invitation(invited.text, name, ANNA_PASSWORD, now))

    def client(self, who: SessionSecrets | None) -> ClientSession:
        """Return a client of these pages that is signed in as somebody; paths are enough."""
        cookies = {} if who is None else {"session": who.session, "device": who.device}
        return ClientSession(self.address, cookies=cookies, cookie_jar=CookieJar(unsafe=True))

    async def sign_in(self, context: BrowserContext, who: SessionSecrets | None = None) -> None:
        """Sign a browser in, as the owner unless told otherwise."""
        somebody = who or self.owner
        await context.add_cookies(
            [
                {"name": name, "value": value, "url": self.address, "httpOnly": True, "sameSite": "Strict"}
                for name, value in (("session", somebody.session), ("device", somebody.device))
            ]
        )


def make_walk_tests(made: ShellBox, picture: Callable[[str], Awaitable[bytes | None]]) -> WalkTestRunner:
    """The walk tests of this box."""
    return WalkTestRunner(
        made.home, store=made.store, clock=made.clock, inbox=made.reception, entrances=made.entrances,
        take_picture=picture, key=made.key, on_change=made.changes.notify,
    )  # fmt: skip


def make_supervision(made: ShellBox) -> SupervisionDesk:
    """What this box shows supervisors of robots."""
    return SupervisionDesk(
        made.home,
        entrances=made.entrances,
        clock=made.clock,
        take_picture=lambda camera: made.eyes.take_picture(camera, 1.0),
    )


def make_proposals(made: ShellBox, file: Path | HomeFileWriter | None, reread: Callable[[], None]) -> Proposals:
    """What waits to come into this box's house file."""
    rewriting = file if isinstance(file, HomeFileWriter) else HomeFileWriter(file, reload=reread)
    return Proposals(
        made.home, writer=rewriting, append_log=made.store.log.append,
        permitted_entrances=lambda: {name for one in made.store.brands.permissions() for name in one.terms.entrances},
    )  # fmt: skip


@asynccontextmanager
async def serve_site(  # noqa: PLR0913 - what a test may replace
    made: ShellBox,
    *,
    link: VideoClient | None = None,
    names: tuple[str, ...] = (),
    file: Path | None = None,
    reread: Callable[[], None] = lambda: None,
    uplink: Uplink | None = None,
    tls: tuple[Path, Path] | None = None,
    supervision: SupervisionDesk | None = None,
) -> AsyncIterator[ServedSite]:
    """Serve the box's pages on a port of their own; `link` leads to real cameras, where there are any.

    `names` are further names of the box; under them a browser does as on another machine. `file` is its house file,
    which `reread` reads anew. `tls`: a certificate's chain and its key.
    """
    rewriting = HomeFileWriter(file, reload=reread)
    walking = make_walk_tests(made, lambda camera: (made.eyes if link is None else link).take_picture(camera, 1.0))
    seen = web.GatewayServices(
        home=made.home,
        store=made.store,
        clock=made.clock,
        states=lambda: tuple((running.state, made.clock.now()) for running in made.entrances.values()),
        inbox=made.reception,
        receptions=made.receptions,
        contacts=made.phonebook,
        video_socket=made.home.storage.folder / "video.sock",
        camera_proofs=lambda: made.eyes.proofs if link is None else link.proofs,
        take_picture=lambda camera: (made.eyes if link is None else link).take_picture(camera, 1.0),
        public_key=made.key.public,
        erase_expired_films=made.archive.request_tidying,
        notify_owner=lambda command, message: made.office.notify(
            command, made.front.state, made.clock.now(), message=message, picture=None
        ),
        decommissioning=made.removal,
        proposals=make_proposals(made, rewriting, reread),
        home_file_writer=rewriting,
        positions=lambda: {device: at for one in made.entrances.values() for device, at in one.positions.items()},
        uplink=uplink,
        courier_languages=made.courier_languages,
        walk_tests=walking,
        supervision=make_supervision(made) if supervision is None else supervision,
    )
    accounts = UserAccounts(made.store, made.clock.now(), passwords=cheap_passwords())
    chain, key = tls or (None, None)
    site = PagesSite(
        seen,
        accounts,
        PagesSection(port=0, names=names, certificate=chain, key=key),
        link_key=LINK_KEY,
        changes=made.changes,
    )
    await site.open()
    try:
        now = made.clock.now()
        owner = signed_in(await accounts.claim(str(await accounts.make_claim_code(now)), OWNER, ANNA_PASSWORD, now))
        yield ServedSite(made, site, accounts, f"http://127.0.0.1:{site.port}", owner)
    finally:
        await site.close()
