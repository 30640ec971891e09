"""The texts of the courier's page at the hub."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _

TITLE = _("Your delivery")

PROBLEMS: Mapping[str, tuple[Text, Text]] = {
    "lost": (
        _("This address leads nowhere"),
        _("The link is not whole, or it no longer counts. Ask your dispatcher for a new one."),
    ),
    "over": (_("This delivery is over"), _("Its code opens nothing any more.")),
    "replaced": (
        _("This code no longer counts"),
        _("The delivery has a newer code. Ask your dispatcher for the new link."),
    ),
    "slow": (_("Too many tries"), _("Wait a minute, then load the page again.")),
}  # fmt: skip
"""A problem's title, and what can be done about it."""

STEPS: tuple[Text, ...] = (
    _("Hold the parcel's label to the scanner at the door."),
    _("Then hold this code to it."),
    _("The scanner shows what to do. When the door opens, put the parcel in its place and close the door."),
)
"""What a courier does at the door, in order."""
STEPS_TO_COLLECT: tuple[Text, ...] = (
    _("Hold this code to the scanner at the door."),
    _("The scanner shows what to do. When the door opens, scan each parcel inside that you take with you."),
    _("Close the door."),
)
"""The same of a delivery to which nothing is brought."""
