"""The attacks of the founders' table of safety that touch the hub or its API, each with the tests that try it.

A row is the table's own (fault or attack), or one that was found since; a test that is no more fails here.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).parents[3]
_BOX = "tests/gateway/"
_HUB = "tests/gateway/hub/"
_API = "tests/gateway/hub/api/"
_HOOKS = "tests/gateway/hub/webhooks/"

ROWS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "replayed announcement, the same signed bytes, a jti again": (
        ("tests/gateway/test_through_hub.py"
        "::test_a_delivery_is_announced_through_the_hub_opens_once_and_no_lie_opens_anything"),
        f"{_HUB}test_states_and_refusals.py::test_what_the_home_refuses_is_read_over_http",
        (f"{_API}test_deliveries.py"
        "::test_the_brand_s_own_message_is_passed_on_byte_for_byte_and_the_same_bytes_get_the_same_delivery"),
    ),
    "retained job or event": (
        f"{_HUB}boxes/test_broker.py::test_what_is_too_large_or_retained_ends_the_connection_unheard",
        "tests/gateway/integrations/hub_client/test_session.py::test_a_job_that_the_broker_kept_is_old_news_and_no_job",
    ),
    "QoS 1 duplicate": (
        f"{_HUB}boxes/test_box_events.py::test_events_are_kept_in_order_and_twice_is_once",
        "tests/gateway/storage/test_hub_journal.py::test_an_answered_message_is_one_event_however_often_it_comes",
    ),
    "queued stale job": (
        f"{_HUB}boxes/test_dispatcher.py::test_a_job_that_has_had_its_time_ends_and_one_of_a_revoked_home_is_never_rung",
        f"{_HUB}test_states_and_refusals.py::test_what_becomes_of_a_house_is_read_over_http",
    ),
    "client id takeover, spoofed topic": (
        f"{_HUB}boxes/test_broker.py::test_a_box_is_who_its_certificate_says_whatever_it_says_itself",
        f"{_HUB}boxes/test_mqtt.py::test_a_box_speaks_and_hears_as_itself_only_and_a_stranger_s_word_is_dropped",
    ),
    "will on another's topic": (f"{_HUB}boxes/test_broker.py::test_a_last_will_on_another_s_topic_is_never_heard",),
    "revoked certificate": (
        f"{_HUB}boxes/test_broker.py::test_a_revoked_box_is_cut_off_within_seconds_and_cannot_come_back",
    ),
    "wildcard or odd ids + # / .. NUL": (
        f"{_HUB}test_wire_attacks.py::test_ids_that_would_be_wildcards_or_paths_of_a_broker_are_refused",
    ),
    "broker kill -9, slow, gone": (
        f"{_HUB}boxes/test_mqtt.py::test_the_hub_rides_out_its_broker",
        ("tests/gateway/test_through_hub.py"
        "::test_whatever_is_killed_in_the_middle_nothing_is_lost_and_nothing_opens_twice"),
    ),
    "clock stepped back or forward": (
        f"{_HUB}test_attacks.py::test_what_waited_for_a_clock_that_ran_ahead_does_not_wait_until_it_is_so_late",
        f"{_HUB}test_attacks.py::test_a_ration_that_was_used_up_while_the_clock_ran_ahead_is_not_used_up_until_then",
        f"{_HUB}boxes/test_enrolment.py::test_clocks_that_are_wrong_shut_nobody_out",
    ),
    "daylight saving days": (
        f"{_HUB}deliveries/test_availability.py::test_a_night_on_which_the_clock_changes_is_reckoned_by_the_wall_clock",
    ),
    "kill -9 at every durable step": (
        (f"{_HUB}boxes/test_joining_killed.py"
        "::test_killed_before_any_change_of_its_disk_a_box_joins_and_renews_all_the_same"),
        f"{_HOOKS}test_killed.py::test_a_hub_killed_in_the_middle_loses_no_message_and_tells_each_under_one_id",
        f"{_HUB}boxes/test_mqtt.py::test_what_was_kept_for_a_box_outlives_the_hub",
    ),
    "ENOSPC": (
        f"{_HUB}test_wire_attacks.py::test_a_disk_that_is_full_is_told_and_nothing_is_said_to_be_done",
    ),
    "restored old database, of a box or of the hub": (
        "tests/gateway/storage/test_hub_journal.py::test_a_copy_of_the_store_goes_on_behind_what_the_hub_has",
        f"{_HUB}boxes/test_box_events.py::test_what_a_box_had_and_knows_no_longer_is_sent_again",
    ),
    "log tampered: flip, drop, reorder, truncate": (
        f"{_API}test_proof.py::test_nothing_in_a_proof_can_be_changed",
        f"{_API}test_proof.py::test_whatever_single_byte_of_a_proof_is_altered_it_does_not_hold",
        f"{_BOX}protocol/test_delivery_record.py::test_a_line_that_was_left_out_is_named_in_the_middle_and_at_the_end",
        f"{_HUB}boxes/test_box_events.py::test_forged_and_forked_events_change_nothing",
    ),
    "forged delivery: alg none, HS256, kid, aud, exp, embedded jwk": (
        f"{_HUB}test_states_and_refusals.py::test_what_is_not_believed_is_refused_with_the_reason_of_the_home",
        "tests/gateway/protocol/test_jws.py::test_a_header_that_asks_for_anything_else_is_refused",
        "tests/gateway/protocol/test_jws.py::test_the_public_key_is_no_secret_to_sign_with",
        "tests/gateway/protocol/test_jws.py::test_one_brand_cannot_speak_for_another",
    ),
    "a hub that forges: what it signs itself, what it carries": (
        f"{_API}test_deliveries.py::test_no_box_takes_what_the_hub_signed_for_a_brand_s_own_word",
        "tests/gateway/integrations/hub_client/test_session.py::test_a_hostile_hub_costs_the_box_nothing_but_its_own_line",
        "tests/gateway/integrations/hub_client/test_session.py::test_a_hub_that_says_the_same_again_or_goes_back_and_forth_makes_no_box_write",
    ),
    "a hub's broker that keeps to nothing: sizes, QoS, properties, topics, floods": (
        f"{_BOX}mqtt/test_inbound_limits.py::test_a_broker_that_does_what_no_honest_one_does_loses_us_and_is_told_why",
        f"{_BOX}mqtt/test_inbound_limits.py::test_a_message_with_more_properties_than_are_read_is_heard_without_them_and_holds_nothing_up",
        f"{_BOX}mqtt/test_inbound_limits.py::test_a_flood_leaves_the_loop_its_turns_also_by_tls",
        f"{_BOX}mqtt/test_inbound_limits.py::test_topics_without_end_leave_nothing_behind",
        f"{_BOX}mqtt/test_connection.py::test_what_no_honest_broker_sends_ends_the_connection_after_what_came_before",
        f"{_BOX}mqtt/test_connection.py::test_a_session_that_reads_nothing_takes_no_more_memory_and_loses_no_message",
    ),
    "a hub that answers a box without an end, or leads it into its house's network": (
        f"{_BOX}system/test_bounded_http.py::test_an_answer_without_an_end_is_given_up",
        f"{_BOX}system/test_bounded_http.py::test_nobody_is_led_elsewhere_and_what_is_whole_is_read",
    ),
    "a hub that offers another authority, or a certificate that is none": (
        f"{_HUB}boxes/test_ca_rotation.py::test_nobody_but_the_authority_before_makes_a_box_believe_another",
        f"{_HUB}boxes/test_ca_rotation.py::test_whatever_certificate_a_hub_signs_for_or_gives_it_ends_no_box",
    ),
    "a brand, or a hub, whose messages fill a box's disk": (
        f"{_BOX}storage/test_offers.py::test_a_brand_that_is_let_in_fills_no_disk_however_much_it_announces",
        f"{_BOX}storage/test_hub_journal.py::test_a_brand_that_announces_without_end_makes_no_events_without_end",
        f"{_BOX}test_hub_signed.py::test_a_hub_that_signs_without_end_uses_up_no_brand_s_ration",
        f"{_BOX}runtime/test_inbox.py::test_a_hub_that_keeps_nothing_of_what_it_is_told_is_taken_no_more_from_than_may_wait",
    ),
    "a kid of another brand, a key without its private half": (
        f"{_BOX}protocol/test_key_possession.py::test_nobody_enrols_a_key_that_is_not_his",
        f"{_API}test_brands.py::test_a_key_is_enrolled_by_whoever_has_it_and_by_nobody_else",
    ),
    "guessed code": (
        f"{_API}test_connections.py::test_a_support_code_never_tells_whether_a_home_has_it_and_tries_are_bounded",
        f"{_HUB}consent/test_page.py::test_an_address_that_leads_nowhere_says_so_and_guessing_is_slowed",
    ),
    "restart between guesses": (
        f"{_HUB}test_wire_attacks.py::test_tries_of_support_codes_are_counted_over_a_restart",
    ),
    "JSON bombs, NaN, duplicate keys, deep nesting, 5,000-digit numbers": (
        f"{_API}test_dispatch.py::test_a_body_that_two_readers_could_read_differently_is_refused",
        "tests/gateway/protocol/test_jws.py::test_signed_json_bombs_are_refused_in_words",
    ),
    "oversize": (
        f"{_API}test_dispatch.py::test_what_is_too_large_or_no_json_or_for_another_host_is_refused",
        (f"{_HUB}test_attacks.py"
        "::test_a_promise_that_signed_no_box_could_read_is_refused_also_while_it_would_be_held"),
        f"{_BOX}protocol/test_delivery_record.py::test_the_largest_account_fits_into_an_event",
    ),
    "slow bodies, half requests, a flood of connections": (
        f"{_HUB}test_wire_attacks.py::test_whose_body_does_not_come_waits_for_nothing",
        (f"{_HUB}http/test_connection_limits.py"
        "::test_one_address_has_so_many_connections_and_another_place_is_free_as_soon_as_one_goes"),
        f"{_HUB}http/test_connection_limits.py::test_a_stranger_with_65536_networks_of_ipv6_does_not_take_the_places_of_all",
        f"{_HUB}http/test_connection_limits.py::test_who_asks_nothing_or_never_comes_to_an_end_is_let_go",
        f"{_HUB}http/test_connection_limits.py::test_who_trickles_is_let_go_and_who_listens_stays",
    ),
    "a flood of streams": (
        f"{_API}test_events.py::test_a_retailer_has_so_many_streams_and_one_that_ended_makes_room",
    ),
    "a flood of requests, sandboxes, events, unbelieved messages": (
        f"{_API}test_dispatch.py::test_who_asks_too_much_is_told_how_long_to_wait_and_others_are_not_kept",
        f"{_HUB}sandbox/test_robot.py::test_an_address_has_few_sandboxes_an_hour",
        f"{_HUB}boxes/test_mqtt.py::test_one_home_s_flood_costs_no_other_its_turn",
        "tests/gateway/storage/test_hub_journal.py::test_what_is_not_believed_is_told_and_a_flood_of_it_is_not",
        f"{_HUB}test_attacks.py::test_no_stranger_has_another_ration_for_each_name_that_he_gives_himself",
        f"{_HUB}test_attacks.py::test_a_stranger_with_65536_networks_of_ipv6_has_not_as_many_rations",
    ),
    "two requests in one (smuggling)": (f"{_HUB}test_wire_attacks.py::test_two_requests_in_one_are_none",),
    "path traversal": (f"{_HUB}test_wire_attacks.py::test_no_path_leads_out_of_the_api",),
    "another tenant's object, another world's": (
        f"{_API}test_roles.py::test_each_sort_of_key_may_do_what_it_may_and_nothing_else",
        f"{_API}test_webhook_endpoints.py::test_another_retailer_s_endpoint_is_not_there_nor_one_of_the_other_world",
        f"{_HUB}sandbox/test_robot.py::test_no_real_home_is_played_and_none_is_seen_from_the_sandbox",
        f"{_HUB}sandbox/test_asked.py::test_nobody_asks_the_home_of_another_s_sandbox",
        f"{_HUB}boxes/test_box_events.py::test_a_home_says_nothing_of_another_home_s_delivery",
    ),
    "webhook to private addresses, redirects, DNS that changes": (
        f"{_HOOKS}test_sender.py::test_a_name_that_leads_inside_is_refused_when_it_is_connected_to",
        f"{_HOOKS}test_sender.py::test_redirects_are_not_followed_and_answers_without_end_are_cut",
        f"{_HOOKS}test_connection.py::test_a_name_that_changes_between_two_tries_is_asked_anew_and_refused",
        "tests/gateway/system/test_destinations.py::test_no_ipv4_number_is_reached_inside_an_ipv6_one",
        (f"{_API}test_webhook_endpoints.py"
        "::test_an_address_where_the_hub_does_not_send_is_refused_when_made_and_when_changed"),
    ),
    "a forged or replayed webhook": (
        f"{_HOOKS}test_sender.py::test_a_changed_body_or_another_secret_is_not_verified",
        ("tests/gateway/cli/test_retailer.py"
        "::test_listen_tells_what_is_signed_once_and_refuses_everything_else"),
    ),
    "a thief of the database: keys, secrets": (
        f"{_HUB}test_attacks.py::test_a_copy_of_the_database_holds_no_key_that_was_told_once",
        f"{_HUB}test_wire_attacks.py::test_the_secrets_of_webhooks_are_read_by_no_copy_of_the_database",
        (f"{_HUB}test_wire_attacks.py"
        "::test_a_hub_with_another_key_signs_nothing_by_a_secret_that_it_cannot_read_and_says_so"),
    ),
    "CSRF, foreign origin, WebSocket": (
        f"{_HUB}test_wire_attacks.py::test_no_page_of_another_origin_reads_the_api_and_no_cookie_counts",
    ),
    "DNS rebinding, Host": (
        f"{_HUB}test_wire_attacks.py::test_the_hub_is_known_under_one_name_however_it_is_said",
        f"{_HUB}test_wire_attacks.py::test_nothing_of_the_hub_is_there_under_a_name_that_leads_to_it",
    ),
    "framing": (f"{_HUB}consent/test_page.py::test_no_page_of_the_hub_stands_in_another_site_s_frame",),
    "script in a brand's or a shop's name": (
        f"{_HUB}test_wire_attacks.py::test_a_script_in_a_name_is_refused_or_read_and_never_run",
    ),
    "CR, LF, terminal escapes": (
        f"{_HUB}test_wire_attacks.py::test_what_is_asked_stands_on_one_clean_line_of_the_log",
        f"{_HOOKS}test_retry.py::test_whatever_a_stranger_answers_is_shown_as_one_short_inert_line",
    ),
    "terms that the home has said are asked at the hub too": (
        f"{_API}test_deliveries.py::test_a_home_that_wants_the_brand_s_signature_is_sent_no_other",
        f"{_API}test_connections.py::test_availability_follows_the_home_s_terms",
    ),
    "who is home, told by what the hub answers": (
        f"{_BOX}protocol/test_delivery_state.py::test_a_retailer_never_learns_how_the_house_is_doing",
        (f"{_HUB}test_attacks.py"
        "::test_the_numbers_by_which_a_box_that_is_away_could_be_seen_are_the_operator_s_alone"),
        f"{_API}test_proof.py::test_a_proof_tells_nothing_of_the_household_of_others_or_of_a_film",
        ("tests/gateway/storage/test_delivery_records.py"
        "::test_parcels_the_door_and_how_cold_it_was_are_told_and_nothing_of_the_household"),
    ),
})  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_tried_by_tests_that_are_there(row: str) -> None:
    for test in ROWS[row]:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in there, test
