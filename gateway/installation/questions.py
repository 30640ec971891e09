"""Lists what only a person can answer about the devices of a house and nobody has answered yet. Pure.

The page Installation asks it in these words, and writes the answer into the house file.
"""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from gateway.config.devices import CameraDevice, LockDevice
from gateway.config.devices.lock import AUTO_LOCK, AUTO_LOCK_HELP
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.installation.capability import Measurement, fitting_latency
from gateway.system.i18n import Text, _

_CLOCK_HEIGHT = 0.09  # of the picture: the strip in which cameras write their clock


class Choice(Frozen, kw_only=False):
    """One answer: how a person reads it, and what the house file then contains."""

    title: Text
    value: JsonValue


class DeviceQuestion(Frozen):
    """One open question. `key` is the key of the device's section; `choices` are the answers by their names."""

    device: str
    key: str
    title: Text
    help: Text
    choices: Mapping[str, Choice]

    @property
    def name(self) -> str:
        """The name of the form's field."""
        return f"{self.key} {self.device}"


def open_questions(home: Home, measurements: Mapping[str, Measurement]) -> Iterator[DeviceQuestion]:
    """Yield what is still to be said about the devices, in their order."""
    for id_, device in home.devices.items():
        if isinstance(device, LockDevice) and device.auto_lock is None:
            choices = {"yes": Choice(_("yes"), value=True), "no": Choice(_("no"), value=False)}
            yield DeviceQuestion(device=id_, key="auto_lock", title=AUTO_LOCK, help=AUTO_LOCK_HELP, choices=choices)
        if isinstance(device, CameraDevice) and device.clock_region is None:
            yield _clock_question(id_)
        fit = fitting_latency(device, measurements.get(id_))
        if fit is not None:
            yield DeviceQuestion(
                device=id_, key="latency", title=_("How long may the box wait for its answer?"),
                help=_("It was slower than what is declared. A longer time lets the box wait for it."),
                choices={"fit": Choice(_("{seconds} s, as measured", seconds=str(fit)), value=fit)},
            )  # fmt: skip


def _clock_question(id_: str) -> DeviceQuestion:
    strip: Mapping[str, tuple[Text, float]] = {
        "top": (_("along the upper edge"), 0.0),
        "bottom": (_("along the lower edge"), 1.0 - _CLOCK_HEIGHT),
    }
    return DeviceQuestion(
        device=id_, key="clock_region", title=_("Where does its picture show a running clock?"),
        help=_("From a running clock the box sees that a picture stands still. Most cameras can write one into it."),
        choices={
            name: Choice(title, value=[0.0, round(top, 2), 1.0, _CLOCK_HEIGHT]) for name, (title, top) in strip.items()
        },
    )  # fmt: skip
