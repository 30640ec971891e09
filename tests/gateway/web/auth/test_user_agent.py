"""What a browser says that it is: known words only, whatever anybody writes there."""

import pytest

from gateway.web.auth.user_agent import MAX_USER_AGENT_CHARACTERS, browser_name, label_browser

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/17.5 Safari/605.1.15"


@pytest.mark.parametrize(
    ("says", "called"),
    [
        (ANDROID, "Chrome on Android"),
        (ANDROID.replace("Mobile Safari", "Mobile Safari/537.36 EdgA"), "Edge on Android"),
        (ANDROID.replace("Chrome/", "SamsungBrowser/25.0 Chrome/"), "Samsung Internet on Android"),
        (MAC, "Safari on Mac"),
        (MAC.replace("Macintosh", "iPhone").replace("Version/17.5", "CriOS/126.0"), "Chrome on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Linux"),
        ("curl/8.5.0", "unknown browser"),
        ("", "unknown browser"),
        ("<script>alert(1)</script>", "unknown browser"),
        ("\u202eAndroid Chrome/\x1b[31m", "Chrome on Android"),
        (" " * MAX_USER_AGENT_CHARACTERS + ANDROID, "unknown browser"),
        ("Version/" + "1" * 100_000 + " Safari/", "unknown browser"),
    ],
)
def test_a_browser_is_called_by_a_short_known_name(says: str, called: str) -> None:
    word = label_browser(says)
    assert browser_name(word, "en") == called
    assert len(word) < 40


@pytest.mark.parametrize("word", [None, "", "|", "Netscape|OS/2", "<b>|<i>", "no bar"])
def test_what_was_not_stored_by_us_is_an_unknown_browser(word: str | None) -> None:
    assert browser_name(word, "fr") == "navigateur inconnu"
