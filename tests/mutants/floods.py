"""Faults in what the box's MQTT, inboxes and log do in a flood, and with readings that are none."""

from tests.mutants.mutant import Mutant

SURROUNDINGS = "tests/gateway/runtime/adapters/test_surroundings.py"

LIMITS = "tests/gateway/mqtt/test_rate_limits.py"
FLOODS = "tests/gateway/mqtt/test_floods.py"
LOG = "tests/gateway/runtime/test_log_limits.py"
HEARS = "tests/gateway/runtime/test_entrance_hears.py"

MUTANTS = (
    Mutant(
        name="the first reading that waits is kept, not the newest",
        file="gateway/mqtt/rate_limits.py",
        old="        self._held[topic] = message",
        new="        self._held.setdefault(topic, message)",
        tests=(LIMITS,),
    ),
    Mutant(
        name="a bridge's account has no limit of its own",
        file="gateway/mqtt/rate_limits.py",
        old="        if subscription.account is not None:\n            buckets",
        new="        if subscription.account is None:\n            buckets",
        tests=(LIMITS,),
    ),
    Mutant(
        name="a lock behind a bridge counts against the bridge's limit",
        file="gateway/config/topics.py",
        old="bridge if bridge is not None and not door else None",
        new="bridge if bridge is not None else None",
        tests=(LIMITS,),
    ),
    Mutant(
        name="the owner's request waits behind what devices said",
        file="gateway/mqtt/rate_limits.py",
        old="    OverflowPolicy.KEEP: TopicLimits(priority=0),\n",
        new="    OverflowPolicy.KEEP: TopicLimits(priority=3),\n",
        tests=(FLOODS,),
    ),
    Mutant(
        name="readings are decided before what lock and door said",
        file="gateway/runtime/event_queue.py",
        old=("        if self._priority_events:\n            event = self._priority_events.popleft()"),
        new=(
            "        if self._priority_events and not self._surroundings:\n"
            "            event = self._priority_events.popleft()"
        ),
        tests=(HEARS,),
    ),
    Mutant(
        name="reports of lock and door wait without bound",
        file="gateway/runtime/event_queue.py",
        old="            if report and self._report_count >= MAX_QUEUED_REPORTS:",
        new="            if report and self._report_count >= 1e9:",
        tests=(HEARS,),
    ),
    Mutant(
        name="each scan of a locked-out scanner is an entry for ever",
        file="gateway/runtime/log_limits.py",
        old="        if isinstance(event, e.Scanned):\n            is_refused = all(",
        new="        if isinstance(event, e.DiskChanged):\n            is_refused = all(",
        tests=(LOG,),
    ),
    Mutant(
        name="the signal flashes for each scan of a flood",
        file="gateway/runtime/entrance.py",
        old="tuple(command for command in commands if isinstance(command, c.AnswerScan))",
        new="tuple(command for command in commands if isinstance(command, c.Command))",
        tests=(LOG,),
    ),
    Mutant(
        name="pages are compiled in the loop",
        file="gateway/web/site.py",
        old="        await asyncio.to_thread(compile_templates)\n",
        new="",
        tests=("tests/gateway/test_flooded.py::test_no_page_is_compiled_in_the_loop_that_hears_the_doors",),
    ),
    Mutant(
        name="the owner's requests wait without bound",
        file="gateway/runtime/inbox.py",
        old="        if queue.qsize() >= MAX_QUEUED_REQUESTS:",
        new="        if queue.qsize() >= 1_000_000:",
        tests=("tests/gateway/runtime/test_inbox.py",),
    ),
    Mutant(
        name="a stop is lost in a flood of requests",
        file="gateway/runtime/inbox.py",
        old="            if not stops:\n                asked.answer.set_result(",
        new="            if queue is not None:\n                asked.answer.set_result(",
        tests=("tests/gateway/runtime/test_inbox.py",),
    ),
    Mutant(
        name="scans without an entry are all decided in one turn of the loop",
        file="gateway/runtime/entrance.py",
        old="                self._execute(step, step.commands, ())\n                await asyncio.sleep(0)\n",
        new="                self._execute(step, step.commands, ())\n",
        tests=(LOG,),
    ),
    Mutant(
        name="a thermometer fills the log",
        file="gateway/runtime/log_limits.py",
        old="            return not commands and not _is_part_of_proof(event, after)",
        new="            return False",
        tests=(LOG,),
    ),
    Mutant(
        name="a visit's readings are missing in its proof",
        file="gateway/runtime/log_limits.py",
        old="            return not commands and not _is_part_of_proof(event, after)",
        new="            return not commands",
        tests=(LOG,),
    ),
    Mutant(
        name="the reading on which a visit rests has no entry",
        file="gateway/runtime/entrance.py",
        old=("            if reading is not None:\n                await self._store_entry(reading, "),
        new=("            if reading is None:\n                await self._store_entry(reading, "),
        tests=(LOG,),
    ),
    Mutant(
        name="what has no entry is not counted",
        file="gateway/runtime/log_limits.py",
        old="        self._suppressed_counts[name] += 1",
        new="        self._suppressed_counts[name] = 1",
        tests=(LOG,),
    ),
    Mutant(
        name="a fridge that says nothing readable keeps its last temperature",
        file="gateway/runtime/entrance.py",
        old="                if channel in READING_TOPICS:",
        new="                if channel not in READING_TOPICS:",
        tests=(SURROUNDINGS,),
    ),
    Mutant(
        name="a temperature that no fridge can have is believed",
        file="devices/vendors/temperature.py",
        old="COLDEST_C, WARMEST_C = -45.0, 60.0",
        new="COLDEST_C, WARMEST_C = -1e9, 60.0",
        tests=("tests/devices/vendors/test_hostile.py", SURROUNDINGS),
    ),
)
