"""Stores the hand-over of a house: the next owner's one link, and what ends when it is used.

One transaction makes the next owner and ends all access of the former household. Work on files (films, the key of
links, the phones' file) is stored there as a task, and the next start does it: `new_house.*`.
"""

from datetime import datetime, timedelta

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage import guests, people
from gateway.storage.audit_log import erase_bodies
from gateway.storage.consent_requests import forget_guests
from gateway.storage.database import Database
from gateway.storage.models import AccountResult, HouseOffer, NewAccount
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.permissions import decide_brand
from gateway.storage.privacy import read_choice, write_choice
from gateway.storage.recordings import mark_erased
from gateway.storage.sessions import SignInEntry, sign_in

TASK_RENEW_LINKS, TASK_ERASE_FILMS, TASK_FORGET_PHONES = "new_house.links", "new_house.films", "new_house.phones"
# The former household's home at a hub: to leave, and left.
TASK_LEAVE_HUB, TASK_HUB_LEFT = "new_house.hub", "new_house.hub_left"


def open_offer(db: Database, reckoned: datetime, *, lives: timedelta) -> HouseOffer | None:
    """Return the offer that can still be accepted: at most `lives` old, and made by somebody who still is an owner."""
    query = (
        "SELECT o.id, o.secret, o.by, o.made, o.leaves_films, o.held_too FROM house_offer o"
        " JOIN person p ON p.id = o.by WHERE p.removed IS NULL AND p.role = 'owner' AND o.made > ?"
    )
    return db.record(HouseOffer, query, (reckoned - lives,))


def set_offer(db: Database, offer: HouseOffer, now: Now) -> None:
    """Store the offer in place of the one before it."""
    db.insert("house_offer", or_="REPLACE", one=1, **vars(offer))
    db.log("house_offered", now.utc, {"offer": offer.id, "leaves_films": offer.leaves_films, "by": offer.by})


def withdraw_offer(db: Database, now: Now, *, by: str) -> AccountResult:
    """Withdraw the offer: `DONE` or `UNKNOWN`."""
    offer = db.value(str, "DELETE FROM house_offer RETURNING id")
    if offer is None:
        return AccountResult.UNKNOWN
    db.log("house_offer_withdrawn", now.utc, {"offer": offer, "by": by})
    return AccountResult.DONE


def accept_offer(db: Database, offer: HouseOffer, new: NewAccount, entry: SignInEntry, now: Now) -> AccountResult:
    """Make the next owner, signed in, and end all of the former household's: `DONE`, `INVITATION_GONE` or `BUSY`."""
    giver = people.account(db, offer.by)
    if giver is None or giver.role != "owner":
        return AccountResult.INVITATION_GONE
    if db.exists("SELECT 1 FROM entrance WHERE visit IS NOT NULL"):
        return AccountResult.BUSY
    if not db.execute("DELETE FROM house_offer WHERE id = ?", (offer.id,)).rowcount:
        return AccountResult.INVITATION_GONE
    former_count = len(people.all_people(db))
    cancelled = cancel_open_deliveries(db, now, by=None)
    for brand in db.column("SELECT brand FROM permission"):
        decide_brand(db, brand, PermissionStatus.REVOKED, None, now, by=None)
    if not offer.leaves_films and offer.held_too:
        db.execute("UPDATE film SET held = NULL")
    kept_films = "erased IS NULL" if offer.leaves_films else "erased IS NULL AND held IS NOT NULL"
    guests.forget_household(db, now)
    _forget_household(db, f"SELECT visit FROM film WHERE {kept_films}")  # noqa: S608 - one of two words of our own
    if not offer.leaves_films:
        for visit in db.column("SELECT DISTINCT visit FROM film WHERE erased IS NULL"):
            mark_erased(db, visit, "owner", now, by=None)  # except a held one
        write_choice(db, TASK_ERASE_FILMS, "erase")
    write_choice(db, TASK_RENEW_LINKS, "new")
    home = db.value(str, "SELECT home FROM uplink")
    if home is not None:
        write_choice(db, TASK_LEAVE_HUB, home)
    how: dict[str, Json] = {"how": "hand-over", "offer": offer.id}
    people.add_account(db, new, how, now)
    db.log(
        "house_taken_over",
        now.utc,
        {"people": former_count, "deliveries": cancelled, "leaves_films": offer.leaves_films},
        by=new.person.id,
    )
    sign_in(db, new.person.id, new.password, entry)
    return AccountResult.DONE


def _forget_household(db: Database, stay: str) -> None:
    """Delete the former household's people and data; the log keeps the visits that `stay` selects and a valid chain."""
    for table in ("device", "invitation", "share", "person", "backoff", "message", "phone", "look", "choice", "pause",
                  "readiness_hour", "own_parcel", "receiver_link", "receiver_session", "keeper_link",
                  "keeper_code", "turned_away"):  # fmt: skip
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own tables
    db.execute("UPDATE permission SET asked = NULL")  # each brand may ask the next owner once
    forget_guests(db)
    db.execute("UPDATE brand_key SET by = NULL")  # a distrusted key stays distrusted
    others = f"SELECT seq FROM entry WHERE body IS NOT NULL AND (visit IS NULL OR visit NOT IN ({stay}))"  # noqa: S608 - the same
    erase_bodies(db, db.column(others))


def leave_hub(db: Database, home: str, now: Now, *, by: str) -> int:
    """Store that the house leaves its hub, and cancel the open deliveries that came by it; return their number."""
    write_choice(db, TASK_LEAVE_HUB, home)
    db.log("hub_leaving", now.utc, {"home": home}, by=by)
    return cancel_open_deliveries(db, now, by=by, which="AND key IN (SELECT key FROM uplink_delivery)")


def forget_history(db: Database, now: Now) -> None:
    """Delete the erased films and the ended deliveries from the store. The films' files must be deleted already."""
    erased = "SELECT visit FROM film WHERE erased IS NOT NULL"
    db.execute(f"DELETE FROM clip WHERE visit IN ({erased})")  # noqa: S608 - no part of it comes from outside
    erase_bodies(db, db.column(f"SELECT seq FROM entry WHERE body IS NOT NULL AND visit IN ({erased})"))  # noqa: S608 - the same
    db.execute("DELETE FROM film WHERE erased IS NOT NULL")
    running = "SELECT visit FROM entrance WHERE visit IS NOT NULL UNION SELECT visit FROM film"
    db.execute(f"DELETE FROM visit WHERE id NOT IN ({running})")  # noqa: S608 - the same
    db.execute(
        "DELETE FROM delivery WHERE (ends <= ? OR look_at IS NULL)"
        " AND NOT EXISTS (SELECT 1 FROM visit WHERE delivery = delivery.key)"
        " AND NOT EXISTS (SELECT 1 FROM entrance WHERE delivery = delivery.key)",
        (now.utc,),
    )


def cancel_open_deliveries(db: Database, now: Now, *, by: str | None, which: str = "") -> int:
    """Cancel every delivery that may still come, so that its retailer receives that; return their number."""
    cancelled = db.execute(
        f"UPDATE delivery SET cancelled = 1, look_at = 0 WHERE ends > ? AND cancelled = 0 {which} AND NOT EXISTS (SELECT 1"  # noqa: S608, E501 - a word of our own
        " FROM visit v WHERE v.delivery = delivery.key AND v.intent IN ('reserved', 'spent', 'given_back'))",
        (now.utc,),
    ).rowcount
    db.log("deliveries_cancelled", now.utc, {"deliveries": cancelled}, by=by)
    return cancelled


class Handover(StorePart):
    """The hand-over of the house to its next owner: `Store.handover`."""

    set_offer = writes(set_offer)
    open_offer = reads(open_offer)
    withdraw_offer = writes(withdraw_offer)
    accept_offer = writes(accept_offer)
    pending_task = reads(read_choice)
    set_task = writes(write_choice)
    leave_hub = writes(leave_hub)
    forget_history = writes(forget_history)
    cancel_open_deliveries = writes(cancel_open_deliveries)
