"""Describes the questions about a device that the page "Add a device" asks; a page draws them and reads the answers."""

from dataclasses import KW_ONLY
from typing import Literal

from gateway.domain.frozen import Frozen
from gateway.system.i18n import Text, _

InputType = Literal["text", "number", "check", "choice", "device", "devices", "choices", "places"]
"""How a field is entered. A number is one of seconds; `choice` takes one of `FormField.choices`, `choices` any of them;
`device` and `devices` take the home's devices of `FormField.device_kinds`; `places` takes a name a line."""


class FormField(Frozen, kw_only=False):
    """One field; `key` is its key in home.yaml.

    `is_on_by_default`: the box is ticked in an empty form. `is_required`: it has to be filled in, or ticked.
    `is_asked_when_found`: no device announces it, so a found device has the question too.
    """

    key: str
    label: Text
    input_type: InputType = "text"
    _: KW_ONLY
    is_required: bool = False
    is_on_by_default: bool = False
    is_asked_when_found: bool = False
    help: Text | None = None  # what to fill in, where the label does not say it
    example: str = ""
    choices: tuple[str, ...] = ()  # to choose from
    device_kinds: tuple[str, ...] = ()  # of the devices to choose from


def checkbox(key: str, label: Text, *, on: bool = False, required: bool = False) -> FormField:
    """Return a box to tick."""
    return FormField(key, label, "check", is_on_by_default=on, is_required=required)


LATENCY = FormField(
    "latency", _("Answers within so many seconds"), "number",
    help=_("Leave it empty at first: the test proposes a value."), example="8",
)  # fmt: skip
HEARTBEAT = FormField(
    "heartbeat", _("Says something at least every so many seconds"), "number",
    help=_("Only for a sensor that cannot be asked, such as one on a battery."), example="3600",
)  # fmt: skip
ANSWERS = checkbox("answers", _("Can be asked"), on=True)
