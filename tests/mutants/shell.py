"""Faults in what carries the decision out: entrance, hands, store, line, films, proofs, and in the lock itself."""

from tests.mutants.mutant import Mutant

GATEWAY = "tests/gateway/"
ENTRANCE = f"{GATEWAY}runtime/test_entrance.py"
PERFORM = f"{GATEWAY}runtime/test_effects.py"
STORE = f"{GATEWAY}storage/test_store.py"
POWER = f"{GATEWAY}storage/test_power_cut.py"
STORE_HOUSE = f"{GATEWAY}storage/test_house.py"
OFFERS = f"{GATEWAY}storage/test_offers.py"
SCHEMA = f"{GATEWAY}storage/test_schema.py"
MQTT = f"{GATEWAY}mqtt/test_client.py"
SINK = f"{GATEWAY}video/test_sink.py"
FRAGMENTS = f"{GATEWAY}video/test_fragments.py"
SYNCS = f"{GATEWAY}video/test_film_sync.py"
DEADLINES = f"{GATEWAY}video/test_proof_deadlines.py"
RECEIVED = f"{GATEWAY}video/test_proofs_received.py"
SIGNATURE = f"{GATEWAY}protocol/test_jws.py"
VERIFY = f"{GATEWAY}evidence/test_verify.py"
LOCK = "tests/devices/simulators/test_lock.py"

HELD_BACK = f"{GATEWAY}runtime/test_effects.py::test_an_unlock_is_held_back"
OVERTAKEN = f"{GATEWAY}storage/test_store.py::test_whatever_commits_before_the_intent_overtakes_it"

MUTANTS = (
    Mutant(
        name="what became of a visit on a full disk is lost",
        file="gateway/runtime/entrance.py",
        old="commands = (*self._unstored_results, *commands)",
        new="commands = (*(), *commands)",
        tests=(
            f"{ENTRANCE}::test_what_became_of_a_visit_while_the_disk_was_full_is_stored_and_told_when_there_is_room",
        ),
    ),
    Mutant(
        name="a log that nobody reads holds the gateway",
        file="gateway/system/line_output.py",
        old="if descriptor is None or not _is_ready(descriptor, max(0.0, until - boot_time_s())):",
        new="if descriptor is None:",
        tests=(
            f"{GATEWAY}system/test_line_output.py::test_of_too_many_lines_that_wait_the_oldest_are_lost_and_stderr_says_how_many",
        ),
    ),
    Mutant(
        name="performed before the commit",
        file="gateway/runtime/entrance.py",
        old="""            try:
                outcome = await self._commit(step)
""",
        new=(
            "            try:\n"
            "                self._execute(step, commands, ())\n"
            "                outcome = await self._commit(step)\n"
        ),
        tests=(f"{GATEWAY}runtime/test_entrance.py::test_the_intent_is_on_disk_before_the_unlock_leaves",),
    ),
    Mutant(
        name="an intent is stored although a decision before it is not",
        file="gateway/storage/store.py",
        old="elif step.entrance in lost and any(",
        new="elif not step and any(",
        tests=(f"{ENTRANCE}::test_nothing_opens_unless_everything_earlier_is_stored",),
    ),
    Mutant(
        name="a decision that could not be stored beside the others is forgotten",
        file="gateway/storage/writer.py",
        old="            self.lost |= {job.of for job in group if job.of is not None}\n",
        new="            pass\n",
        tests=(f"{ENTRANCE}::test_nothing_opens_unless_everything_earlier_is_stored",),
    ),
    Mutant(
        name="the disk never counts as good again after a decision that it did not take",
        file="gateway/storage/store.py",
        old="            lost.discard(step.entrance)\n",
        new="            pass\n",
        tests=(f"{STORE}::test_after_a_decision_that_was_not_stored_nothing_is_reserved_before_it_is_known",),
    ),
    Mutant(
        name="a film is begun that no stored visit has",
        file="gateway/domain/visit/commands.py",
        old="        case AnswerScan() | ShowSignal() | RingBell() | Lock() | Close():\n",
        new="        case AnswerScan() | ShowSignal() | RingBell() | Lock() | Close() | StartRecording():\n",
        tests=(f"{ENTRANCE}::test_who_stands_at_the_door_waits_for_no_disk",),
    ),
    Mutant(
        name="a visit begins on a code that an update has just taken back",
        file="gateway/storage/decisions.py",
        old="row is None or row.order.version == running.delivery.version:",
        new="row is None or row.order.version >= running.delivery.version:",
        tests=(
            (
                "tests/gateway/runtime/test_entrance.py"
                "::test_a_parcel_that_an_update_takes_back_as_it_is_scanned_opens_nothing"
            ),
        ),
    ),
    Mutant(
        name="an intent that could not be stored is performed",
        file="gateway/runtime/entrance.py",
        old=(
            "    if event == e.DiskChanged(ok=True) "
            "or any(isinstance(command, c.ReserveOpening) for command in commands):\n"
        ),
        new="    if event == e.DiskChanged(ok=True):\n",
        tests=(f"{GATEWAY}runtime/test_entrance.py::test_an_intent_that_cannot_be_stored_is_dropped_whole",),
    ),
    Mutant(
        name="a stop counts only once it is stored",
        file="gateway/runtime/entrance.py",
        old="return self._pending_stops > 0 or self.state.stopped",
        new="return self.state.stopped",
        tests=(f"{GATEWAY}runtime/test_entrance.py::test_a_stop_between_commit_and_unlock_is_obeyed",),
    ),
    Mutant(
        name="the entrance hides that a scan is retained",
        file="gateway/runtime/entrance.py",
        old="yield new_scan(device, code_text(report.code), retained=heard.retained, label=read_label(report.code))",
        new="yield new_scan(device, code_text(report.code), retained=False, label=read_label(report.code))",
        tests=(
            (
                "tests/gateway/runtime/test_entrance.py"
                "::test_a_retained_scan_reaches_the_decision_as_retained_and_is_never_acted_on"
            ),
        ),
    ),
    Mutant(
        name="old news of a scanner are asked for",
        file="gateway/mqtt/connection.py",
        old="retain_handling=0 if subscription.wants_retained else 2",
        new="retain_handling=0",
        tests=(
            (
                "tests/gateway/mqtt/test_client.py"
                "::test_a_scan_that_the_broker_kept_is_never_handed_out_and_a_live_retained_one_says_so"
            ),
        ),
    ),
    Mutant(
        name="a light or a state is lost when the socket is full",
        file="gateway/mqtt/outbound.py",
        old="                return self._park(message)\n",
        new="                return self._park(message) if is_full else NotSent.BLOCKED\n",
        tests=(
            (
                "tests/gateway/mqtt/test_connection.py"
                "::test_not_one_byte_of_what_was_not_sent_arrives_and_the_stream_stays_whole_also_by_tls"
            ),
        ),
    ),
    Mutant(
        name="events take the room that unlocks need",
        file="gateway/mqtt/outbound.py",
        old="room = self._parkable_maximum if patient else self._receive_maximum",
        new="room = self._receive_maximum",
        tests=(f"{GATEWAY}mqtt/test_client.py::test_an_unlock_finds_room_where_patient_messages_wait_in_line",),
    ),
    Mutant(
        name="what waits for room is forgotten when no acknowledgement calls",
        file="gateway/mqtt/outbound.py",
        old=("        for one in unsent:\n            self._end(one, 0)\n        self._collect_parked()\n"),
        new=("        for one in unsent:\n            self._end(one, 0)\n"),
        tests=(
            (
                "tests/gateway/mqtt/test_connection.py"
                "::test_not_one_byte_of_what_was_not_sent_arrives_and_the_stream_stays_whole_also_by_tls"
            ),
        ),
    ),
    Mutant(
        name="an unlock waits behind bytes that the socket has not taken",
        file="gateway/mqtt/outbound.py",
        old="if self._has_unsent() or self._poll.poll(0) != [(self._sock.fileno, select.POLLOUT)]:",
        new="if self._poll.poll(0) == []:",
        tests=(
            (
                "tests/gateway/mqtt/test_connection.py"
                "::test_not_one_byte_of_what_was_not_sent_arrives_and_the_stream_stays_whole_also_by_tls"
            ),
            "tests/gateway/mqtt/test_client.py::test_a_link_that_was_just_cut_takes_no_unlock",
        ),
    ),
    Mutant(
        name="what nobody reads fills the memory",
        file="gateway/mqtt/inbound_limits.py",
        old="return self._waiting_bytes >= MAX_UNREAD_BYTES",
        new="return False",
        tests=(
            (
                "tests/gateway/mqtt/test_connection.py"
                "::test_a_session_that_reads_nothing_takes_no_more_memory_and_loses_no_message"
            ),
        ),
    ),
    Mutant(
        name="the stop is ignored as the unlock leaves",
        file="gateway/runtime/effects.py",
        old="if self.is_stopped():",
        new="if not self.is_stopped:",
        tests=(HELD_BACK,),
    ),
    Mutant(
        name="the age of the live proof is ignored",
        file="gateway/runtime/effects.py",
        old=("        and mono - proof.at <= MAX_PROOF_AGE_S\n"),
        new="",
        tests=(HELD_BACK,),
    ),
    Mutant(
        name="pictures that are not live are good enough",
        file="gateway/runtime/effects.py",
        old="        and proof.live\n",
        new="",
        tests=(HELD_BACK,),
    ),
    Mutant(
        name="the unlock leaves though this visit is not filmed",
        file="gateway/runtime/effects.py",
        old="        and clip in proof.recordings\n",
        new="",
        tests=(HELD_BACK,),
    ),
    Mutant(
        name="a slow commit prolongs the order",
        file="gateway/runtime/effects.py",
        old="left_s = command.life - (now.mono - decided.mono)",
        new="left_s = command.life",
        tests=("tests/gateway/runtime/test_effects.py",),
    ),
    Mutant(
        name="the unlock leaves long after it was decided",
        file="gateway/runtime/effects.py",
        old="if now.mono - decided.mono > MAX_SPENT_LIFE * command.life:",
        new="if now.mono < decided.mono:",
        tests=(
            ("tests/gateway/runtime/test_effects.py::test_a_commit_that_took_nearly_the_commands_life_opens_nothing"),
        ),
    ),
    Mutant(
        name="the unlock may wait in line",
        file="gateway/runtime/effects.py",
        old="unlock, life=left_s, immediate=True",
        new="unlock, life=left_s, immediate=False",
        tests=(f"{GATEWAY}runtime/test_effects.py::test_when_all_is_well_one_unlock_leaves_now_or_never",),
    ),
    Mutant(
        name="commits are not synced",
        file="gateway/storage/schema.py",
        old="PRAGMA synchronous = FULL",
        new="PRAGMA synchronous = OFF",
        tests=(f"{GATEWAY}storage/test_schema.py::test_the_file_syncs_every_commit_and_only_the_writer_writes",),
    ),
    Mutant(
        name="a power cut takes back what was published",
        file="gateway/storage/schema.py",
        old="PRAGMA synchronous = FULL",
        new="PRAGMA synchronous = NORMAL",
        tests=(f"{POWER}::test_wherever_the_power_fails_the_box_knows_what_it_has_opened",),
    ),
    Mutant(
        name="a power cut between mark and commit is taken for an older store",
        file="gateway/storage/writer.py",
        old='            db.execute("COMMIT")\n            self._write_mark(db, group)\n',
        new='            self._write_mark(db, group)\n            db.execute("COMMIT")\n',
        tests=(f"{POWER}::test_wherever_the_power_fails_the_box_knows_what_it_has_opened",),
    ),
    Mutant(
        name="the mark's new name is on the disk before its content",
        file="gateway/system/atomic_file.py",
        old="    temporary = _write_beside(path, data, mode)\n    _sync(temporary)\n",
        new="    temporary = _write_beside(path, data, mode)\n",
        tests=(f"{POWER}::test_wherever_the_power_fails_the_box_knows_what_it_has_opened",),
    ),
    Mutant(
        name="an intent rests on a mark that a power cut takes back",
        file="gateway/storage/box.py",
        old="return first is not None and first <= synced_seq",
        new="return first is not None",
        tests=(f"{POWER}::test_a_store_from_before_the_visit_is_noticed_also_after_a_power_cut",),
    ),
    Mutant(
        name="the permission is not checked again at the intent",
        file="gateway/storage/decisions.py",
        old="same = (facts.version, facts.permission_version, stop.epoch) == (",
        new="same = (facts.version, reserve.permission_version, stop.epoch) == (",
        tests=(OVERTAKEN,),
    ),
    Mutant(
        name="the stop's epoch is not checked again at the intent",
        file="gateway/storage/decisions.py",
        old="same = (facts.version, facts.permission_version, stop.epoch) == (",
        new="same = (facts.version, facts.permission_version, reserve.stop_epoch) == (",
        tests=(STORE,),
    ),
    Mutant(
        name="the promise is not checked again at the intent",
        file="gateway/storage/decisions.py",
        old="same = (facts.version, facts.permission_version, stop.epoch) == (",
        new="same = (reserve.version, facts.permission_version, stop.epoch) == (",
        tests=(OVERTAKEN,),
    ),
    Mutant(
        name="the openings left are not counted at the intent",
        file="gateway/storage/decisions.py",
        old="facts.openings_left >= 1 and facts.withdrawals_left >= 1",
        new="facts.openings_left >= 1",
        tests=(STORE, f"{GATEWAY}storage/test_allowance.py"),
    ),
    Mutant(
        name="the store refunds a spent opening",
        file="gateway/storage/decisions.py",
        old="WHERE id = ? AND intent = 'reserved'",
        new="WHERE id = ?",
        tests=(f"{GATEWAY}storage/test_store.py::test_what_is_spent_never_comes_back",),
    ),
    Mutant(
        name="a message is not stored with its decision",
        file="gateway/storage/decisions.py",
        old=(
            "        for command, encoded in zip(decision.commands, commands, strict=True)\n"
            "        if isinstance(command, c.NotifyOwner | c.RaiseAlarm)\n"
        ),
        new=(
            "        for command, encoded in zip(decision.commands, commands, strict=True)\n"
            "        if isinstance(command, c.RaiseAlarm)\n"
        ),
        tests=(
            (
                "tests/gateway/storage/test_house.py"
                "::test_a_message_to_the_owner_is_stored_with_its_decision_and_waits_until_it_was_sent"
            ),
        ),
    ),
    Mutant(
        name="a message's number is not remembered",
        file="gateway/storage/offers.py",
        old="brand=claims.iss, jti=claims.jti, expires=",
        new="brand=claims.iss, jti=claims.jti[::-1], expires=",
        tests=(f"{GATEWAY}storage/test_offers.py::test_a_number_is_used_once_by_a_brand_and_over_a_restart",),
    ),
    Mutant(
        name="a cancel that came first is forgotten",
        file="gateway/storage/offers.py",
        old='if db.exists("SELECT 1 FROM tombstone WHERE key = ?", (order.key,)) or (old is not None and',
        new="if (old is not None and",
        tests=(f"{GATEWAY}storage/test_offers.py::test_a_cancel_that_comes_before_its_offer_leaves_a_tombstone",),
    ),
    Mutant(
        name="a message chooses its own algorithm",
        file="gateway/protocol/jws.py",
        old=(
            '    if header.get("alg") != kind.alg:\n'
            '        return RejectedMessage(RejectionCode.WRONG_ALGORITHM, f"alg is {kind.alg}")\n'
            '    kid = header.get("kid")\n'
        ),
        new='    kid = header.get("kid")\n',
        tests=(SIGNATURE,),
    ),
    Mutant(
        name="a message may bring its own key along",
        file="gateway/protocol/jws.py",
        old="header.keys() - {*kind.names}",
        new='header.keys() - {*kind.names, "jwk"}',
        tests=(SIGNATURE,),
    ),
    Mutant(
        name="a message for another box counts",
        file="gateway/protocol/delivery_message.py",
        old="if claims.aud not in audiences:",
        new="if not claims.aud:",
        tests=(SIGNATURE,),
    ),
    Mutant(
        name="one brand speaks for another",
        file="gateway/protocol/delivery_message.py",
        old="if claims.iss != key.brand:",
        new="if not claims.iss:",
        tests=(SIGNATURE,),
    ),
    Mutant(
        name="a stall has no instant at which it begins",
        file="gateway/video/liveness.py",
        old="ends = (self._stalls_after, self._is_undecodable_after,",
        new="ends = (self._is_undecodable_after,",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a camera does not say when its evidence ends",
        file="gateway/video/camera.py",
        old="ends.append(self._liveness.holds_until(now))",
        new="pass",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a film that is no longer synced has no instant at which it is missed",
        file="gateway/video/camera.py",
        old="ends = [recording.on_disk_until for recording in self._recordings.values()]",
        new="ends = list[float]()",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="the video process sleeps over the instant at which a proof changes",
        file="gateway/video/process.py",
        old="loop.call_at(min(look_at, check_at,",
        new="loop.call_at(min(renew_at, check_at,",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a camera's thread reports no change that a packet makes",
        file="gateway/video/camera.py",
        old="                with self._lock:\n                    self._notify_change(now, is_wanted=is_wanted)\n",
        new="",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a camera that is being stopped still proves itself live",
        file="gateway/video/process.py",
        old="                self._withdraw_proofs([name])\n",
        new="",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a proof that changes back to what it was is not told",
        file="gateway/video/client.py",
        old="""        self._by_claims.pop(received.claims, None)
        time = PROOF_TIME""",
        new="        time = PROOF_TIME",
        tests=(RECEIVED,),
    ),
    Mutant(
        name="pictures without a fault outweigh a stalled stream",
        file="gateway/video/liveness.py",
        old="else min(until, self._pictures_faultless_until)",
        new="else self._pictures_faultless_until",
        tests=(DEADLINES,),
    ),
    Mutant(
        name="a film's index leads to pictures with which playing cannot begin",
        file="gateway/video/fragments.py",
        old="        if is_key:\n            self._key_fragments",
        new="        if media:\n            self._key_fragments",
        tests=(FRAGMENTS,),
    ),
    Mutant(
        name="a fragment's last picture ends before the next one begins",
        file="gateway/video/fragments.py",
        old="table[-3] = min(max(1, round((after.dts - base) * ticks) - last), MAX_UINT32)",
        new="table[-3] = 1",
        tests=(FRAGMENTS,),
    ),
    Mutant(
        name="a film's fragments wait longer for their sync than the house file says",
        file="gateway/video/clip.py",
        old="sample.arrived_at + FRAGMENT_S - self._held_since > self._sync_s",
        new="sample.arrived_at - 2 * FRAGMENT_S - self._held_since > self._sync_s",
        tests=(SYNCS,),
    ),
    Mutant(
        name="a film's first fragment waits for others before it is synced",
        file="gateway/video/clip.py",
        old=" > self._sync_s or not self.has_begun:",
        new=" > self._sync_s:",
        tests=(SYNCS,),
    ),
    Mutant(
        name="a film's fragments are not synced",
        file="gateway/video/clip.py",
        old=("        try:\n            os.fdatasync(self._handle)\n"),
        new="        try:\n",
        tests=(SINK,),
    ),
    Mutant(
        name="a film's sync is tried again after it failed",
        file="gateway/video/clip.py",
        old="""            self._on_synced(self._unsynced, had < 2 <= self.synced[1])
        except OSError as failure:
            self._failed = failure
            raise
""",
        new="""            self._on_synced(self._unsynced, had < 2 <= self.synced[1])
        except OSError:
            raise
""",
        tests=(SINK,),
    ),
    Mutant(
        name="the manifest's signature is not checked",
        file="gateway/evidence/verify.py",
        old="if not key.verifies(signature, data):",
        new="if not signature:",
        tests=(VERIFY,),
    ),
    Mutant(
        name="a manifest of another box is good",
        file="gateway/evidence/verify.py",
        old="return self.public_key is None or key in self.line.keys_of_same_box(self.public_key)",
        new="return True",
        tests=(VERIFY,),
    ),
    Mutant(
        name="the phone's checkpoint is ignored",
        file="gateway/evidence/verify.py",
        old="        check_rollback(manifest.log.file, own, self.remembered)",
        new="        pass",
        tests=(VERIFY,),
    ),
    Mutant(
        name="a manifest that the phone knows otherwise is good",
        file="gateway/evidence/verify.py",
        old="if seal.manifest_sha256 != part.sha256:",
        new="if not seal.manifest_sha256:",
        tests=(VERIFY,),
    ),
    Mutant(
        name="a film's hash is not compared",
        file="gateway/evidence/verify.py",
        old="if 0 <= beyond <= MAX_UNLINKED_BYTES and film_sha256(film) == clip.sha256:",
        new="if 0 <= beyond <= MAX_UNLINKED_BYTES and film_sha256(film):",
        tests=(VERIFY,),
    ),
    Mutant(
        name="browsers count as long as a full disk does not take their end",
        file="gateway/storage/browsers.py",
        old="        self.is_ending = True\n",
        new="",
        tests=(
            (
                "tests/gateway/storage/test_browsers.py"
                "::test_where_the_disk_does_not_take_it_that_all_end_none_counts_until_it_has"
            ),
        ),
    ),
    Mutant(
        name="a store put back from an older copy goes on",
        file="gateway/evidence/rollback.py",
        old="    if there == last.head.hash and not foreign_visits(proofs, hash_at, condition.foreign_visits):",
        new="    if there in {last.head.hash, None} and not foreign_visits(proofs, hash_at, condition.foreign_visits):",
        tests=(f"{GATEWAY}evidence/test_rollback.py",),
    ),
    Mutant(
        name="a guarded lock ignores its countdown",
        file="devices/simulators/lock.py",
        old="self.link.uptime_ms > command.until_ms if",
        new="self.link.uptime_ms < 0 if",
        tests=(
            f"{LOCK}::test_a_guarded_lock_refuses_a_late_copy_by_its_own_countdown",
            f"{LOCK}::test_a_guarded_lock_asks_again_as_its_motor_starts",
        ),
    ),
    Mutant(
        name="a guarded lock ignores the wall clock where it has no countdown",
        file="devices/simulators/lock.py",
        old="else wall > command.expires_at:",
        new="else wall < command.issued_at:",
        tests=(f"{LOCK}::test_without_a_countdown_the_wall_clock_decides_and_may_be_wrong",),
    ),
    Mutant(
        name="a guarded lock obeys a command twice",
        file="devices/simulators/lock.py",
        old="if self._plan.guarded and command.id in self._seen_command_ids:",
        new="if not self._plan.guarded and command.id in self._seen_command_ids:",
        tests=(f"{LOCK}::test_a_guarded_lock_refuses_an_id_it_has_seen",),
    ),
)
