from dataclasses import replace
from pathlib import Path

from tests.announcing import ConnectedHome, connected_home
from tests.hubs import hub_file, run_hub


async def carrier_key(home: ConnectedHome, carrier: str = "DHL") -> ConnectedHome:
    """The same home, asked with a key of this carrier's own."""
    status, made = await home.ask("POST", "/v1/api_keys", {"label": "depot", "right": "carrier", "carrier": carrier})
    assert status == 201, made
    return replace(home, retailer=replace(home.retailer, token=made["token"]))


async def test_a_carrier_s_key_sees_the_retailer_s_deliveries_of_that_carrier_only(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        ours, theirs = await home.announce(carrier="dhl paket"), await home.announce(carrier="UPS")
        elsewhere = await (await connected_home(hub, state="pending")).announce(carrier="DHL")
        dhl, path = await carrier_key(home), f"/v1/deliveries/{ours['id']}"
        assert (await home.ask("PATCH", path, {"metadata": {"margin": "12 %"}}))[1]["metadata"] == {"margin": "12 %"}
        del ours["courier"]  # which is shown once
        ours["changed"] = (await home.ask("GET", path))[1]["changed"]
        _, listed = await dhl.ask("GET", "/v1/deliveries")
        assert listed["data"][0]["metadata"] == {}, "the retailer's own facts are not the carrier's"
        assert [one["id"] for one in listed["data"]] == [ours["id"]]
        assert await dhl.ask("GET", f"/v1/deliveries/{ours['id']}") == (200, ours)
        assert (await dhl.ask("GET", f"/v1/deliveries/{ours['id']}/timeline"))[0] == 200
        status, said = await dhl.ask("POST", f"/v1/deliveries/{ours['id']}/more_time", {})
        assert (status, said["code"]) == (409, "not_connected"), "it may ask, once a home has answered"
        for other in (theirs, elsewhere):
            assert (await dhl.ask("GET", f"/v1/deliveries/{other['id']}"))[0] == 404
            assert (await dhl.ask("POST", f"/v1/deliveries/{other['id']}/more_time", {}))[0] == 404
        await home.ask("PATCH", f"/v1/deliveries/{ours['id']}", {"delivery": {"carrier": "UPS"}})
        assert (await dhl.ask("GET", f"/v1/deliveries/{ours['id']}"))[0] == 404, "it was given to another carrier"


async def test_a_carrier_s_key_may_do_nothing_else(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        made = await home.announce(carrier="DHL")
        dhl = await carrier_key(home)
        refused: tuple[tuple[str, str, dict[str, object] | None], ...] = (
            ("POST", "/v1/deliveries", {"connection": home.connection, "delivery": home.promise(carrier="DHL")}),
            ("POST", "/v1/delivery_batches", {"items": [{}]}),
            ("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"place": "shed"}}),
            ("POST", f"/v1/deliveries/{made['id']}/cancel", {}),
            ("GET", f"/v1/deliveries/{made['id']}/proof", None),
            ("GET", f"/v1/connections/{home.connection}", None),
            ("POST", "/v1/availability", {"items": [{}]}),
            ("GET", "/v1/events", None),
            ("GET", "/v1/api_keys", None),
            ("POST", "/v1/api_keys", {"label": "more"}),
        )
        for method, path, body in refused:
            status, said = await dhl.ask(method, path, body)
            assert (status, said["code"]) == (403, "forbidden"), (method, path, said)


async def test_the_list_of_keys_tells_whose_a_carrier_s_key_is(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await carrier_key(home)
        _, listed = await home.ask("GET", "/v1/api_keys")
        assert {(key["right"], key["carrier"]) for key in listed["data"]} == {("full", None), ("carrier", "DHL")}
        for wrong in ({"right": "carrier"}, {"right": "full", "carrier": "DHL"}, {"carrier": "DHL"}):
            status, said = await home.ask("POST", "/v1/api_keys", {"label": "depot", **wrong})
            assert (status, said["errors"][0]["pointer"]) == (422, "/carrier"), wrong
