"""What an examination says of the hub, in French and English."""

from collections.abc import Mapping

_Both = tuple[str, str]  # French, English

HUB: Mapping[str, _Both] = {
    "what.hub": ("hub", "hub"),
    "what.hub_certificate": ("hub : certificat de la box", "hub: the box's certificate"),
    "what.hub_broker": ("hub : son broker", "hub: its broker"),
    "what.hub_clock": ("hub : horloge", "hub: clock"),
    "what.hub_line": ("hub : liaison", "hub: line"),
    "hub.identity.none": ("{file} n'est pas là", "{file} is not there"),
    "hub.identity.unreadable": ("ne peut pas être lu : {why}", "it cannot be read: {why}"),
    "hub.identity.over": ("expiré le {until}", "it ended on {until}"),
    "hub.identity.late": ("bon jusqu'au {until} : personne ne l'a renouvelé", "good until {until}: nobody renewed it"),
    "hub.identity.late.todo": (
        "Voyez ce qui est dit du hub : la passerelle le renouvelle d'elle-même dès qu'il répond.",
        "See what is said of the hub: the gateway renews it by itself once that answers.",
    ),
    "hub.identity.good": ("bon jusqu'au {until}", "good until {until}"),
    "hub.again.todo": (
        "Quittez le hub sur la page Réglages, Hub ; puis, là-bas : `perron hub-claim --again {home}`.",
        "Leave the hub on the page Settings, Hub; then, over there: `perron hub-claim --again {home}`.",
    ),
    "hub.broker.name": ("{where} : ce nom n'est connu de personne", "{where}: nobody knows this name"),
    "hub.broker.name.todo": (
        "Vérifiez le DNS de cette machine ; le nom est `hub.host` dans le fichier de la maison.",
        "Look at this machine's DNS; the name is `hub.host` in the house file.",
    ),
    "hub.broker.nobody": ("{where} : personne n'y écoute", "{where}: nobody listens there"),
    "hub.broker.nobody.todo": (
        "Demandez à qui tient le hub si son broker tourne ; rien n'est perdu, il sera rappelé.",
        "Ask whoever runs the hub whether its broker runs; nothing is lost, it is tried again.",
    ),
    "hub.broker.silent": ("{where} ne répond pas", "{where} does not answer"),
    "hub.broker.silent.todo": (
        "Vérifiez la liaison à l'internet, et que le routeur laisse sortir ce port.",
        "Look at the link to the internet, and whether the router lets this port out.",
    ),
    "hub.broker.authority": ("{where} : {why}", "{where}: {why}"),
    "hub.broker.authority.todo": (
        "Ce n'est pas le hub qui fut rejoint, ou quelqu'un se tient entre lui et vous : demandez-lui.",
        "It is not the hub that was joined, or somebody stands between you and it: ask whoever runs it.",
    ),
    "hub.broker.files": ("{why}", "{why}"),
    "hub.broker.files.todo": (
        "Remettez ce fichier, ou rejoignez le hub de nouveau sur la page Réglages, Hub.",
        "Put that file back, or join the hub anew on the page Settings, Hub.",
    ),
    "hub.broker.else": ("{where} ne peut être atteint : {why}", "{where} cannot be reached: {why}"),
    "hub.broker.else.todo": ("Vérifiez la liaison à l'internet.", "Look at the link to the internet."),
    "hub.broker.good": ("{where} est le broker de ce hub", "{where} is this hub's broker"),
    "hub.site.away": ("{url} ne répond pas ({why})", "{url} does not answer ({why})"),
    "hub.site.away.todo": (
        "Vérifiez la liaison à l'internet ; sinon demandez à qui tient le hub. Les portes marchent sans lui.",
        "Look at the link to the internet; else ask whoever runs the hub. Doors work without it.",
    ),
    "hub.site.cut_off": ("{url} ne laisse plus entrer cette maison", "{url} lets this house in no longer"),
    "hub.site.good": ("{url} répond", "{url} answers"),
    "hub.clock.astray": ("{seconds} s d'écart avec celle du hub", "{seconds} s away from the hub's"),
    "hub.clock.astray.todo": (
        "Réglez l'horloge de celle des deux machines qui se trompe.",
        "Set the clock of whichever of the two machines is wrong.",
    ),
    "hub.clock.good": ("{seconds} s d'écart avec celle du hub", "{seconds} s away from the hub's"),
    "hub.line.none": ("aucune passerelle ne tourne ici", "no gateway runs here"),
    "hub.line.never": ("elle n'a jamais été établie", "it was never up"),
    "hub.line.never.todo": (
        "Rechargez le fichier de la maison (`perron reload`) ; voyez sinon le journal de la passerelle.",
        "Reload the house file (`perron reload`); else see the gateway's log.",
    ),
    "hub.line.up": (
        "établie depuis {since} ; {waiting} nouvelles à accuser ; code de la maison {support}",
        "up since {since}; {waiting} events to be acknowledged; the house's support code {support}",
    ),
    "hub.line.down": (
        "coupée depuis {since} ; {waiting} nouvelles attendent ; code de la maison {support}",
        "down since {since}; {waiting} events wait; the house's support code {support}",
    ),
    "hub.line.down.todo": (
        "Voyez ce qui est dit du hub et de son broker ; la box réessaie d'elle-même.",
        "See what is said of the hub and of its broker; the box tries again by itself.",
    ),
}
