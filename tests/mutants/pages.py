"""Faults in the pages: who is answered, what is shown to whom and for how long, live pictures, what is printed."""

from tests.mutants.mutant import Mutant

WEB = "gateway/web/"
POLICY = "tests/gateway/web/server/test_security_headers.py"
ATTACKS = "tests/gateway/web/test_attacks.py"
PAST = "tests/gateway/web/pages/test_history.py"
COMING_IN = "tests/gateway/web/test_coming_in.py"
REPLAY = "tests/gateway/web/test_replay.py"
REPORT = "tests/gateway/evidence/documents/test_report.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="another page may ask in the owner's name",
        file=f"{WEB}server/security_headers.py",
        old='    return None if origin.lower() == f"{request.scheme}://{host}" else "another page may not ask this"\n',
        new="    return None\n",
        tests=(f"{POLICY}::test_another_page_cannot_ask_for_anything_that_changes_something",),
    ),
    Mutant(
        name="whoever calls himself localhost is on this machine",
        file=f"{WEB}server/security_headers.py",
        old="return named and peer is not None and is_loopback_host(peer)",
        new="return named",
        tests=(f"{POLICY}::test_loopback_is_only_this_machine",),
    ),
    Mutant(
        name="a form leads anywhere",
        file=f"{WEB}server/security_headers.py",
        old='return path if _LOCAL_PATH.fullmatch(path) else "/"',
        new="return path",
        tests=(f"{POLICY}::test_a_form_leads_back_only_to_this_site_and_refusing_costs_nothing",),
    ),
    Mutant(
        name="signing in is possible in clear",
        file=f"{WEB}server/security_headers.py",
        old='    return path.startswith(("/c/", "/static/", "/certificate")) or path == "/language"\n',
        new='    return path.startswith(("/c/", "/static/", "/certificate", "/enter")) or path == "/language"\n',
        tests=("tests/gateway/web/test_in_clear.py",),
    ),
    Mutant(
        name="a cookie may leave in clear",
        file=f"{WEB}server/authorization.py",
        old="httponly=True, secure=request.secure,",
        new="httponly=True, secure=False,",
        tests=("tests/gateway/web/test_in_clear.py",),
    ),
    Mutant(
        name="parts of a page are painted for whoever is signed in",
        file=f"{WEB}server/authorization.py",
        old="(user is None or self.accounts.access_error(user, right, self.now) is not None):",
        new="user is None:",
        tests=("tests/gateway/web/test_rights.py::test_an_installer_s_live_connection_shows_no_visit_s_story",),
    ),
    Mutant(
        name="a tab follows the house after its session ended",
        file=f"{WEB}server/feed.py",
        old="while not socket.closed and self._is_allowed():",
        new="while not socket.closed:",
        tests=(f"{ATTACKS}::test_a_tab_goes_dark_when_another_tab_signs_out",),
    ),
    Mutant(
        name="live pictures go on when the right to see them ended",
        file=f"{WEB}server/live_video.py",
        old="while jpeg is not None and is_allowed():",
        new="while jpeg is not None:",
        tests=(f"{ATTACKS}::test_pictures_stop_when_the_right_to_see_them_does",),
    ),
    Mutant(
        name="a frozen picture is shown as live",
        file=f"{WEB}server/live_video.py",
        old="return None if proof is None else proof.live and not proof.faults",
        new="return None if proof is None else True",
        tests=("tests/gateway/web/test_live_page.py",),
    ),
    Mutant(
        name="a share is good for ever",
        file="gateway/storage/recordings.py",
        old=" WHERE s.until > ? AND p.removed IS NULL",
        new=" WHERE s.until > ? - 9000000000000000 AND p.removed IS NULL",
        tests=(f"{PAST}::test_what_is_shown_ends_on_its_day_and_with_the_film",),
    ),
    Mutant(
        name="a share counts while nobody knows what time it is",
        file=f"{WEB}pages/history.py",
        old="        if share is None or not self._now.trusted:\n            raise web.HTTPNotFound",
        new="        if share is None:\n            raise web.HTTPNotFound",
        tests=(f"{PAST}::test_nothing_is_shown_outside_while_nobody_knows_what_time_it_is",),
    ),
    Mutant(
        name="a share shows other visits' films",
        file=f"{WEB}pages/history.py",
        old="parts = self._store.recordings.films(visit=share.visit)",
        new="parts = self._store.recordings.films()",
        tests=(f"{PAST}::test_a_share_ends_at_its_own_visit_whatever_the_path_says",),
    ),
    Mutant(
        name="a browser takes a changed film for the sealed one",
        file=f"{WEB}static/replay_seal.js",
        old="    if (sha256 !== sealed.find(",
        new="    if (false && sha256 !== sealed.find(",
        tests=(f"{REPLAY}::test_what_was_altered_is_called_altered_with_the_film_also_by_a_shared_link",),
    ),
    Mutant(
        name="a browser takes any key for the box's",
        file=f"{WEB}static/replay_seal.js",
        old='    throw new Altered(foreign ? "key" : "manifest", { part });',
        new='    if (!foreign) throw new Altered("manifest", { part });',
        tests=(f"{REPLAY}::test_what_was_altered_is_called_altered_with_the_film_also_by_a_shared_link",),
    ),
    Mutant(
        name="the replay goes on with the bytes that nobody checked",
        file=f"{WEB}static/replay.js",
        old="    fresh.src = this.blob;",
        new="    fresh.src = this.url;",
        tests=(f"{REPLAY}::test_from_the_check_on_the_checked_bytes_are_played_whatever_was_played_before",),
    ),
    Mutant(
        name="a small picture is shown after its film was erased",
        file=f"{WEB}pages/history.py",
        old="kept_thumbnails(self._services.films_folder, visit) if _film_clips(parts) else ()",
        new="kept_thumbnails(self._services.films_folder, visit)",
        tests=(f"{PAST}::test_a_small_picture_is_shown_to_whoever_may_see_the_history_and_noted_once",),
    ),
    Mutant(
        name="a link from before a revocation permits again",
        file=f"{WEB}pages/action_links.py",
        old="return permission is not None and permission.version == link_request.permission_version",
        new="return permission is not None",
        tests=(f"{COMING_IN}::test_a_permission_s_link_from_before_a_revocation_permits_nothing",),
    ),
    Mutant(
        name="the box's authority may vouch for a bank",
        file="gateway/system/pki/authority.py",
        old="    return [_general_name(name, ip_network) for name in names]\n",
        new='    return [_general_name(name, ip_network) for name in (*names, "")]\n',
        tests=("tests/gateway/system/pki/test_pages.py::test_the_authority_may_not_vouch_for_anybody_else",),
    ),
    Mutant(
        name="one place takes all connections",
        file=f"{WEB}server/connection_limits.py",
        old="        if not self._networks.has_room(network):\n",
        new='        if not self._networks.has_room(""):\n',
        tests=("tests/gateway/web/server/test_connection_limits.py::test_one_place_cannot_keep_the_others_out",),
    ),
    Mutant(
        name="a courier's link tells before its hour who was refused",
        file=f"{WEB}server/courier_view.py",
        old=("        case State.SCHEDULED if now.utc < delivery.start:\n            return CourierStep.EARLY, None\n"),
        new=(
            "        case State.SCHEDULED if now.utc < delivery.start:\n"
            '            return CourierStep.NO if "signal" in state.timers else CourierStep.EARLY, None\n'
        ),
        tests=("tests/gateway/web/test_courier_page.py",),
    ),
    Mutant(
        name="a report shows what was put in a film's place after verifying",
        file="gateway/evidence/documents/photos.py",
        old=("            if film_sha256(film) != clip.sha256:\n                return (None,) * len(wanted)\n"),
        new="",
        tests=(f"{REPORT}::test_a_film_that_changes_after_verifying_gives_no_picture",),
    ),
    Mutant(
        name="a report puts this house's names on another box's visit",
        file="gateway/evidence/documents/report.py",
        old="own = names if evidence.manifests and evidence.manifests[0].box == names.box else HouseNames()",
        new="own = names",
        tests=(f"{REPORT}::test_a_houses_names_are_never_put_on_another_boxs_visit",),
    ),
    Mutant(
        name="a bolt that did not answer is said to be locked",
        file=f"{WEB}server/sensor_findings.py",
        old="    if fact.value in sensor.needs_answer and not fact.proven:\n        return None\n",
        new="",
        tests=("tests/gateway/web/server/test_sensor_findings.py",),
    ),
    Mutant(
        name="the alarm's card stays after the door was checked",
        file=f"{WEB}server/visit_card.py",
        old="return visit.phase is Phase.LOCKED_AGAIN and visit.door_result is DoorResult.HANDED_TO_OWNER",
        new="return False",
        tests=("tests/gateway/web/test_seen_at_the_door.py",),
    ),
    Mutant(
        name="pictures of the inside play outside a visit",
        file=f"{WEB}server/visit_card.py",
        old="return tuple(camera for camera in cameras if services.may_be_watched(camera))",
        new="return tuple(cameras)",
        tests=("tests/gateway/web/server/test_visit_card.py",),
    ),
)
