"""Faults in the reading of a label by a courier's phone."""

from tests.mutants.mutant import Mutant

PAGE = "tests/gateway/web/test_label_page.py"
SCRIPTS = "gateway/web/static/"
SCRIPT = f"{SCRIPTS}label.js"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="what a phone reads is sent to the box",
        file=SCRIPT,
        old="function show(code, kind) {\n",
        new='function show(code, kind) {\n  fetch("/static/perron.svg", { headers: { "X-Code": code } });\n',
        tests=(f"{PAGE}::test_a_parcel_whose_label_the_scanner_does_not_take_is_held_up_on_the_couriers_phone",),
    ),
    Mutant(
        name="every page may use the camera",
        file="gateway/web/server/security_headers.py",
        old='"camera=(), microphone=(), geolocation=()"',
        new='"camera=(self), microphone=(), geolocation=()"',
        tests=(f"{PAGE}::test_webassembly_and_the_camera_are_for_the_reader_s_page_alone",),
    ),
    Mutant(
        name="a label is read only where it lies straight",
        file=f"{SCRIPTS}labels.js",
        old="const ANGLES = [0, 45, 22, -22];",
        new="const ANGLES = [0, 0, 0, 0];",
        tests=(f"{PAGE}::test_a_photo_is_read_where_the_page_came_in_clear_and_says_what_the_scanner_would_have_said",),
    ),
    Mutant(
        name="a GS1 code is drawn as if it were none",
        file=f"{SCRIPTS}labels.js",
        old="? GS + found.text :",
        new="? found.text :",
        tests=(f"{PAGE}::test_a_photo_is_read_where_the_page_came_in_clear_and_says_what_the_scanner_would_have_said",),
    ),
    Mutant(
        name="goods are taken for the parcel",
        file=SCRIPT,
        old='const DOUBTFUL = ["gtin", "link"];',
        new="const DOUBTFUL = [];",
        tests=(
            f"{PAGE}::test_of_several_codes_the_courier_chooses_and_goods_or_a_web_page_are_never_taken_for_the_parcel",
        ),
    ),
    Mutant(
        name="the camera looks on while nobody sees the page",
        file=f"{SCRIPTS}label_camera.js",
        old="if (document.hidden) leave();",
        new="",
        tests=(f"{PAGE}::test_the_camera_gives_light_and_hints_and_is_off_as_soon_as_nobody_looks",),
    ),
    Mutant(
        name="a change of language loses the courier's code",
        file="gateway/web/static/courier.js",
        old='form.action = `${form.action.split("#")[0]}${location.hash}`',
        new='form.action = `${form.action.split("#")[0]}`',
        tests=(f"{PAGE}::test_a_parcel_whose_label_the_scanner_does_not_take_is_held_up_on_the_couriers_phone",),
    ),
)
