"""Faults in the page for away from home: what a hub could make of it, and what its reader could be told wrongly."""

from tests.mutants.mutant import Mutant

SCRIPTS = "gateway/web/static"
BROWSER = "tests/gateway/web/test_away_in_a_browser.py"
ATTACKED = "tests/gateway/web/test_away_attacked.py"
WHATEVER = (f"{ATTACKED}::test_whatever_a_hub_answers_nothing_of_it_is_shown_runs_or_leads_away",)
KEPT = (f"{ATTACKED}::test_the_page_is_kept_whole_or_not_at_all_and_a_new_one_comes_from_the_box",)
STOP = (f"{BROWSER}::test_a_stop_is_one_button_and_a_second_press_and_only_the_box_says_that_it_came",)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a hub plays an older answer again",
        file=f"{SCRIPTS}/away_line.js",
        old="said.id !== id || ",
        new="",
        tests=WHATEVER,
    ),
    Mutant(
        name="a hub leads the page's questions elsewhere",
        file=f"{SCRIPTS}/away_line.js",
        old='redirect: "error"',
        new='redirect: "follow"',
        tests=WHATEVER,
    ),
    Mutant(
        name="what was not heard is not greyed",
        file=f"{SCRIPTS}/away.js",
        old='document.body.classList.toggle("unheard", !heard);',
        new="",
        tests=WHATEVER,
    ),
    Mutant(
        name="a hub makes a browser forget its keys",
        file=f"{SCRIPTS}/away_line.js",
        old="return said.ended === true && said.browser === this.me.browser;",
        new="return true;",
        tests=(f"{ATTACKED}::test_only_the_box_s_own_word_makes_a_browser_forget_its_keys",),
    ),
    Mutant(
        name="a file of another version is kept with the rest",
        file=f"{SCRIPTS}/away_worker.js",
        old="if (digest !== KEPT[path])",
        new="if (digest.length < 64)",
        tests=KEPT,
    ),
    Mutant(
        name="the page for away from home is never renewed",
        file=f"{SCRIPTS}/away_worker.js",
        old="  await self.skipWaiting();\n",
        new="  await new Promise(() => {});\n",
        tests=KEPT,
    ),
    Mutant(
        name="a stop is given at the first press",
        file=f"{SCRIPTS}/away_view.js",
        old="if (pressed.get(key) > Date.now()) {",
        new="if (true) {",
        tests=STOP,
    ),
    Mutant(
        name="the hub's word on an order is good news",
        file=f"{SCRIPTS}/away_orders.js",
        old="await this.change(one, { told: said.state, toldWhy: said.why ?? null });",
        new='await this.change(one, { over: "done" });',
        tests=STOP,
    ),
    Mutant(
        name="a yes goes to what is asked by then, not to what was shown",
        file=f"{SCRIPTS}/away_brands.js",
        old="key: `permit ${one.id} ${one.ask}`",
        new="key: `permit ${one.id}`",
        tests=(f"{BROWSER}::test_a_brand_is_let_in_under_the_terms_that_were_shown_and_a_visit_is_vetoed",),
    ),
    Mutant(
        name="a door's unknown word is shown as it came",
        file=f"{SCRIPTS}/away_view.js",
        old='const DOORS = ["locked", "unlocked", "open", "handed"];',
        new='const DOORS = ["locked", "unlocked", "open", "handed", "ajar"];',
        tests=(f"{BROWSER}::test_the_page_comes_from_its_worker_says_what_the_box_says_and_how_old_that_is",),
    ),
    Mutant(
        name="the page for away from home may make markup",
        file="gateway/web/server/security_headers.py",
        old="; require-trusted-types-for 'script'; trusted-types 'none'",
        new="",
        tests=(f"{ATTACKED}::test_a_hostile_name_is_read_and_never_run_and_the_page_makes_no_markup_at_all",),
    ),
    Mutant(
        name="the page for away from home may speak to anybody",
        file="gateway/web/server/security_headers.py",
        old="f\"connect-src 'self' {hub}\"",
        new='"connect-src *"',
        tests=("tests/gateway/web/test_away.py::test_the_page_may_speak_to_the_house_s_hub_and_to_nobody_else",),
    ),
    Mutant(
        name="a browser ends without its box's last word",
        file="gateway/storage/hub_journal.py",
        old='"farewell": farewell or None',
        new='"farewell": None',
        tests=(
            (
                "tests/gateway/storage/test_browsers.py::"
                "test_on_one_device_one_browser_counts_and_a_device_that_is_gone_enrols_none"
            ),
        ),
    ),
    Mutant(
        name="the hub keeps a box's last word to its browser to itself",
        file="gateway/hub/http/problem.py",
        old=("            sealed=self.sealed,\n        )\n"),
        new=("            sealed=None,\n        )\n"),
        tests=(
            (
                "tests/gateway/hub/api/test_household.py::"
                "test_a_browser_that_ended_is_cut_off_and_what_waits_of_it_goes_no_further"
            ),
        ),
    ),
    Mutant(
        name="what had not left when the stop was pressed is sent after it",
        file=f"{SCRIPTS}/away_orders.js",
        old='if (order.do === "stop") {',
        new="if (false) {",
        tests=(f"{BROWSER}::test_what_could_not_leave_leaves_later_in_its_order_and_a_stop_comes_before_it",),
    ),
    Mutant(
        name="an answer that a hub held back looks new",
        file=f"{SCRIPTS}/away_line.js",
        old="said.at * 1000 - sent]",
        new="said.at * 1000 - Date.now()]",
        tests=(f"{BROWSER}::test_the_page_comes_from_its_worker_says_what_the_box_says_and_how_old_that_is",),
    ),
)
