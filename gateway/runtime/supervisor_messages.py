"""Tells the supervisors of robots that a yes is wanted, or that a robot does not leave, while that is still so.

Each supervisor may have a file with Apprise URLs: a phone, or a webhook of the operator (`json://`, `jsons://`). A
message names the robot, the entrance and the supervisor's page. It has no picture, no code and nothing of the
delivery, and it is not stored: the page shows the same, and what is over needs no message.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from gateway.config.devices import RobotDevice
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.domain.visit import commands as c
from gateway.domain.visit import supervision
from gateway.domain.visit.commands import AlarmCode
from gateway.runtime.entrance import EntranceActor
from gateway.runtime.notifications import apprise
from gateway.runtime.notifications.batching import Button, PhoneNotification
from gateway.runtime.notifications.contacts import SCRATCH_FOLDER
from gateway.runtime.notifications.phone import Phone, SendResult
from gateway.system.backoff import Backoff
from gateway.system.containment import Containment
from gateway.system.i18n import _
from gateway.system.text import sanitized

RETRY = Backoff(2.0, 30.0)  # seconds until a message that was not taken is tried again, as long as it matters
MAX_WAITING = 20  # messages for one address; the oldest is dropped
MAX_REMEMBERED = 100  # visits of which it is known what was told

STRANDED = "stranded"
_TEXTS = {
    True: _("{robot} does not move at {entrance}, and may stand in the way. Nothing is closed or locked there."),
    False: _("{robot} waits at {entrance}. Look at the picture and say yes or no."),
}

log = structlog.get_logger(__name__)


class Occasion(Frozen):
    """Something to tell: about a visit, the opening in question, or that its robot is stranded (`STRANDED`)."""

    entrance: str
    visit: str
    robot: str
    about: str


def load_supervisor_phones(home: Home, *, key: bytes) -> dict[str, tuple[apprise.ApprisePhone, ...]]:
    """Load the addresses of each supervisor that has a file; `key` hides them in names.

    Raises:
        ConfigError: a file cannot be used.
    """
    scratch = home.storage.folder / SCRATCH_FOLDER  # messages have no picture: nothing is written there
    return {
        name: apprise.load_phones(section.messages, key=key, scratch=scratch, field=f"supervisors.{name}.messages")
        for name, section in home.supervisors.items()
        if section.messages is not None
    }


class SupervisorMessages:
    """The messages to all supervisors. It follows the entrances. `address`: where the box's pages are, or None."""

    def __init__(  # noqa: PLR0913 - each is a part that it uses
        self,
        home: Home,
        *,
        entrances: Mapping[str, EntranceActor],
        phones: Mapping[str, tuple[Phone, ...]],
        address: Callable[[], str | None],
        containment: Containment,
        retry: Backoff = RETRY,
    ) -> None:
        self._home, self._entrances, self._phones, self._address = home, entrances, phones, address
        self._containment, self._retry = containment, retry
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()  # visit and what about
        self._queues = {
            (name, phone.name): asyncio.Queue[Occasion]() for name, known in phones.items() for phone in known
        }
        for entrance, actor in entrances.items():
            actor.on_change.append(partial(self.on_change, entrance))
            actor.on_commands.append(partial(self.on_decision, entrance))

    def on_change(self, entrance: str) -> None:
        """Tell the supervisors once of each opening that needs a yes."""
        state = self._entrances[entrance].state
        question = supervision.question(state)
        if state.visit is not None and state.visit.robot is not None and question is not None:
            self._tell(Occasion(entrance=entrance, visit=state.visit.id, robot=state.visit.robot, about=question))

    def on_decision(self, entrance: str, commands: tuple[c.Command, ...]) -> None:
        """Tell the supervisors once in a visit that the robot is stranded."""
        visit = self._entrances[entrance].state.visit
        is_stranded = any(
            isinstance(command, c.RaiseAlarm) and command.code == AlarmCode.ROBOT_STRANDED for command in commands
        )
        if is_stranded and visit is not None and visit.robot is not None:
            self._tell(Occasion(entrance=entrance, visit=visit.id, robot=visit.robot, about=STRANDED))

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, known in self._phones.items():
                for phone in known:
                    send = partial(self._send_all, name, phone)
                    group.create_task(self._containment.keep("messages to supervisors", send))

    def _tell(self, occasion: Occasion) -> None:
        key = occasion.visit, occasion.about
        if key in self._told:
            return
        self._told[key] = None
        while len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)
        device = self._home.devices.get(occasion.robot)
        for (name, _phone), queue in self._queues.items():
            if isinstance(device, RobotDevice) and self._home.supervisors[name].operator == device.operator:
                if queue.qsize() >= MAX_WAITING:
                    queue.get_nowait()
                queue.put_nowait(occasion)

    async def _send_all(self, name: str, phone: Phone) -> None:
        queue = self._queues[name, phone.name]
        while True:
            occasion, delay_s = await queue.get(), self._retry.first_s
            while self._matters(occasion):
                result = await phone.send(self._notification(occasion))
                log.info("supervisor_told", supervisor=name, about=occasion.about, result=result.value)
                if result is SendResult.TAKEN:
                    break
                await asyncio.sleep(delay_s)
                delay_s = self._retry.next_s(delay_s)

    def _matters(self, occasion: Occasion) -> bool:
        """Return whether this is still so."""
        state = self._entrances[occasion.entrance].state
        if state.visit is None or state.visit.id != occasion.visit:
            return False
        return occasion.about == STRANDED or supervision.question(state) == occasion.about

    def _notification(self, occasion: Occasion) -> PhoneNotification:
        language, is_stranded = self._home.language, occasion.about == STRANDED
        robot = self._home.devices[occasion.robot].name or occasion.robot
        entrance = self._home.entrances[occasion.entrance].name
        text = _TEXTS[is_stranded].to(language, robot=sanitized(robot), entrance=sanitized(entrance))
        address = self._address()
        label = _("Open the supervisor's page").to(language)
        buttons = () if address is None else (Button(label=label, url=f"{address}/supervisor"),)
        return PhoneNotification(
            title=sanitized(self._home.name), text=text, urgent=True, is_ringing=not is_stranded, buttons=buttons,
            language=language, subject=f"{occasion.visit}-{occasion.about}",
        )  # fmt: skip
