"""The address of a camera's stream: no other protocol, and no account in it."""

import pytest

from gateway.config.stream_url import endpoint, valid_stream_url
from gateway.system.text import mask_account

SECRET = "n0bodyKnows"  # noqa: S105 - what must not be seen in any error


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("rtsp://192.168.1.20/stream1", "192.168.1.20", 554),
        ("rtsp://camera-3.home.arpa:8554/h264?channel=1&subtype=1", "camera-3.home.arpa", 8554),
        ("rtsps://192.168.1.20/s", "192.168.1.20", 322),
        ("rtsp://[fd00::12]:554/s", "fd00::12", 554),
        ("rtsp://10.0.0.9:554/user={user}&password={password}&channel=1&stream=0.sdp", "10.0.0.9", 554),
        ("rtsp://10.0.0.9/live@main", "10.0.0.9", 554),
    ],
)
def test_a_camera_s_address_is_taken(url: str, host: str, port: int) -> None:
    assert valid_stream_url(url) == url
    assert endpoint(url) == (host, port)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"http://admin:{SECRET}@10.0.0.9/", "nothing else is opened"),
        (f"file:///{SECRET}", "nothing else is opened"),
        (f"rtsp+http://{SECRET}/", "nothing else is opened"),
        (f"RTSP://{SECRET}/", "nothing else is opened"),
        (f"rtmp://{SECRET}/", "nothing else is opened"),
        (f"rtsp://admin:{SECRET}@10.0.0.9/s", "credentials_file"),
        (f"rtsp://{SECRET}@10.0.0.9/s", "credentials_file"),
        (f"rtsp://admin:/{SECRET}@10.0.0.9/s", "credentials_file"),
        (f"rtsp://admin:#{SECRET}@10.0.0.9/s", "credentials_file"),
        (f"rtsp://10.0.0.9/user=admin&password={SECRET}&channel=1", "{password} in its place"),
        (f"rtsp://10.0.0.9/cam?usr=admin&pwd={SECRET}", "{password} in its place"),
        (f"rtsp://10.0.0.9/cam?u=admin&pw={SECRET}", "{password} in its place"),
        (f"rtsp://10.0.0.9:99999/{SECRET}", "names a host"),
        (f"rtsp:///{SECRET}", "names a host"),
        (f"rtsp://a b/{SECRET}", "nothing else is opened"),
        (f"rtsp://10.0.0.9/\n{SECRET}", "nothing else is opened"),
        (f"rtsp://%31/{SECRET}", "names a host"),
    ],
)
def test_any_other_is_refused_with_what_to_do_and_is_not_repeated(url: str, told: str) -> None:
    with pytest.raises(ValueError, match="url") as refused:
        valid_stream_url(url)
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [f"rtsp://admin:{SECRET}@h/s", f"['http://{SECRET}@h']", f"rtsp://a:/{SECRET}@h", f"rtsp://h/x?password={SECRET}"],
)
def test_what_is_shown_of_a_wrong_address_has_no_account_in_it(text: str) -> None:
    assert SECRET[1:] not in mask_account(text)
