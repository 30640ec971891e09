"""The texts of findings about the hub."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _, pgettext

HUB_FINDING_TEXTS: Mapping[str, Text] = {
    "what.hub": _("hub"),
    "what.hub_certificate": _("hub: the box's certificate"),
    "what.hub_broker": _("hub: its broker"),
    "what.hub_clock": _("hub: clock"),
    "what.hub_line": _("hub: line"),
    "hub.identity.none": _("{file} is not there"),
    "hub.identity.unreadable": _("it cannot be read: {why}"),
    "hub.identity.over": _("it ended on {until}"),
    "hub.identity.late": _("good until {until}: nobody renewed it"),
    "hub.identity.late.todo": _("See what is said of the hub: the gateway renews it by itself once that answers."),
    "hub.identity.good": pgettext("an identity", "good until {until}"),
    "hub.again.todo": _(
        "Leave the hub on the page Settings, Hub; then, over there: `perron hub-claim --again {home}`."
    ),
    "hub.broker.name": _("{where}: nobody knows this name"),
    "hub.broker.name.todo": _("Look at this machine's DNS; the name is `hub.host` in the house file."),
    "hub.broker.nobody": _("{where}: nobody listens there"),
    "hub.broker.nobody.todo": _(
        "Ask whoever runs the hub whether its broker runs; nothing is lost, it is tried again."
    ),
    "hub.broker.silent": _("{where} does not answer"),
    "hub.broker.silent.todo": _("Look at the link to the internet, and whether the router lets this port out."),
    "hub.broker.authority": _("{where}: {why}"),
    "hub.broker.authority.todo": _(
        "It is not the hub that was joined, or somebody stands between you and it: ask whoever runs it."
    ),
    "hub.broker.files": Text("{why}"),
    "hub.broker.files.todo": _("Put that file back, or join the hub anew on the page Settings, Hub."),
    "hub.broker.else": _("{where} cannot be reached: {why}"),
    "hub.broker.else.todo": _("Look at the link to the internet."),
    "hub.broker.good": _("{where} is this hub's broker"),
    "hub.site.away": _("{url} does not answer ({why})"),
    "hub.site.away.todo": _("Look at the link to the internet; else ask whoever runs the hub. Doors work without it."),
    "hub.site.cut_off": _("{url} no longer accepts this house"),
    "hub.site.good": _("{url} answers"),
    "hub.clock.astray": _("{seconds} s away from the hub's"),
    "hub.clock.astray.todo": _("Set the clock of whichever of the two machines is wrong."),
    "hub.clock.good": _("{seconds} s away from the hub's"),
    "hub.line.none": _("no gateway runs here"),
    "hub.line.never": _("it was never up"),
    "hub.line.never.todo": _("Reload the house file (`perron reload`); else see the gateway's log."),
    "hub.line.up": _("up since {since}; {waiting} events to be acknowledged; the house's support code {support}"),
    "hub.line.down": _("down since {since}; {waiting} events wait; the house's support code {support}"),
    "hub.line.down.todo": _("See what is said of the hub and of its broker; the box tries again by itself."),
}
