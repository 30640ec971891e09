"""Faults in the web console: a text that steers, a key that stays, a press that does too much."""

from tests.mutants.mutant import Mutant

PAGE = "tests/gateway/hub/console/test_page.py"
STATIC = "gateway/hub/console/static"
FOLLOWED = f"{PAGE}::test_a_delivery_is_followed_to_its_window_and_its_cancel_to_the_home_s_answer"
KEYS = f"{PAGE}::test_a_key_is_made_and_shown_once_and_when_it_is_revoked_it_signs_out"
EMPTY = f"{PAGE}::test_an_empty_console_shows_the_request_that_makes_the_first_delivery"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="the console shows signs that turn a text",
        file=f"{STATIC}/dom.js",
        old='.replace(UNSEEN, "")',
        new="",
        tests=(FOLLOWED,),
    ),
    Mutant(
        name="one press of a button cancels a delivery",
        file=f"{STATIC}/dom.js",
        old="    if (isSure) act();\n",
        new="    act();\n",
        tests=(FOLLOWED,),
    ),
    Mutant(
        name="the browser keeps the key of whoever signed out of the console",
        file=f"{STATIC}/console.js",
        old="  sessionStorage.removeItem(STORED);\n  session?.live?.end();\n",
        new="  session?.live?.end();\n",
        tests=(f"{PAGE}::test_the_key_stays_in_the_tab_and_is_forgotten_when_its_reader_signs_out",),
    ),
    Mutant(
        name="the console goes on with a key that was revoked",
        file=f"{STATIC}/console.js",
        old='  if (failure.status === 401) leave("left.revoked");\n  else if',
        new="  if",
        tests=(KEYS,),
    ),
    Mutant(
        name="what the console tries again is a new request to the hub",
        file=f"{STATIC}/api.js",
        old='    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;\n',
        new="",
        tests=(KEYS,),
    ),
    Mutant(
        name="a tab of the console in the background keeps its stream",
        file=f"{STATIC}/live.js",
        old="document.hidden ? this.#pause() : this.#run()",
        new="this.#run()",
        tests=(EMPTY,),
    ),
)
