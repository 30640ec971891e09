"""The store's part for people: accounts, invitations, sessions, shared visits and wrong passwords."""

from gateway.storage import outbox, people, recordings, sessions
from gateway.storage.part import StorePart, posts, reads, writes


class AccountStore(StorePart):
    """People, invitations and sessions: `Store.accounts`.

    The store has secrets as SHA-256 and passwords as argon2id strings; `by` is the id of the person who acts. Instants
    called `reckoned` never lie after the true time (`gateway.web.auth.session_age`).
    """

    has_owner = reads(people.has_owner)
    set_claim_code = writes(people.set_claim_code)
    check_claim_code = writes(people.check_claim_code)
    claim = writes(people.claim_box)
    all_people = reads(people.all_people)
    person = reads(people.person)
    find_by_name = reads(people.find_by_name)
    password_hash_of = reads(people.password_hash_of)
    set_role = writes(people.set_role)
    remove_account = writes(people.remove_account)
    remove_installers = writes(people.remove_installers)
    set_password = writes(people.set_password)
    recover_account = writes(people.recover_account)
    rehash_password = writes(people.rehash_password)
    record_failed_sign_ins = posts(people.record_failed_sign_ins)  # a wait would tell whether there is such an account
    is_link_used = reads(outbox.is_link_used)
    use_link = writes(outbox.use_link)
    add_invitation = writes(people.add_invitation)
    open_invitations = reads(people.open_invitations)
    withdraw_invitation = writes(people.withdraw_invitation)
    redeem_invitation = writes(people.redeem_invitation)
    sign_in = writes(sessions.sign_in)
    session = reads(sessions.session)
    sessions_of = reads(sessions.sessions_of)
    touch_session = posts(sessions.touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(sessions.end_session)
    expire_sessions = writes(sessions.expire_sessions)
    latest_timestamp = reads(sessions.latest_timestamp)
    device = reads(sessions.device)
    backoff_slot = reads(sessions.backoff_slot)
    failure_counts = reads(sessions.failure_counts)
    set_failure_counts = writes(sessions.set_failure_counts)
    device_failure_counts = reads(sessions.device_failure_counts)
    set_device_failure_count = writes(sessions.set_device_failure_count)
    add_share = writes(recordings.add_share)
    active_shares = reads(recordings.active_shares)
    end_share = writes(recordings.end_share)
