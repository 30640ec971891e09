"""Faults in where webhooks go, who signs them, and when they are tried again."""

from tests.mutants.mutant import Mutant

GUARD = "tests/gateway/system/test_destinations.py"
CONNECTION = "tests/gateway/hub/webhooks/test_connection.py"
SENDER = "tests/gateway/hub/webhooks/test_sender.py"
API = "tests/gateway/hub/api/test_webhook_endpoints.py"

MUTANTS = (
    Mutant(
        name="a cloud's metadata is a receiver",
        file="gateway/system/destinations.py",
        old='"0.0.0.0/8", "169.254.0.0/16",',
        new='"0.0.0.0/8",',
        tests=(GUARD,),
    ),
    Mutant(
        name="the guard looks at names only",
        file="gateway/system/guarded_http.py",
        old="if not is_reachable(str(address[0]), policy):",
        new="if not address:",
        tests=(CONNECTION,),
    ),
    Mutant(
        name="a name's answer is believed for later too",
        file="gateway/system/guarded_http.py",
        old="use_dns_cache=False, limit=max_connections,",
        new="use_dns_cache=True, limit=max_connections,",
        tests=(CONNECTION,),
    ),
    Mutant(
        name="a redirect is followed",
        file="gateway/hub/webhooks/connection.py",
        old=(
            "            async with self._http.post(target, data=body, headers=headers, "
            "allow_redirects=False) as answer:\n"
        ),
        new=(
            "            async with self._http.post(target, data=body, headers=headers, "
            "allow_redirects=True) as answer:\n"
        ),
        tests=(SENDER,),
    ),
    Mutant(
        name="a message is given up after its tries however soon",
        file="gateway/hub/webhooks/retry.py",
        old="return tries >= max_attempts and age >= MIN_GIVE_UP_AGE",
        new="return tries >= max_attempts",
        tests=("tests/gateway/hub/webhooks/test_retry.py",),
    ),
    Mutant(
        name="the old secret signs no more once it is rotated",
        file="gateway/hub/webhooks/queue.py",
        old="sealed = (to.secret, to.old_secret) if rotating else (to.secret,)",
        new="sealed = (to.secret,)",
        tests=(API,),
    ),
    Mutant(
        name="a replay sends another world's events",
        file="gateway/hub/api/webhook_endpoints.py",
        old=" events.c.sandbox == row.sandbox,",
        new="",
        tests=(API,),
    ),
    Mutant(
        name="another's endpoint is found",
        file="gateway/hub/api/rows.py",
        old="select(table).where(mine, table.c.id == id_)",
        new="select(table).where(table.c.id == id_)",
        tests=(API,),
    ),
)
