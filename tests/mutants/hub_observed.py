"""Faults in what an operator sees of a hub: the log of requests, the metrics, the alerts."""

from tests.mutants.mutant import Mutant

RECORD = "tests/gateway/hub/http/test_request_record.py"
FAILED = "test_a_request_that_the_hub_itself_failed_is_found_in_the_log_by_its_id"
LOG = "test_the_log_of_a_hub_has_the_time_in_each_line_and_one_line_for_each_request"
METRICS = "tests/gateway/hub/test_metrics.py"
BEHIND = "test_an_operator_sees_how_far_the_hub_is_behind_and_a_retailer_s_slow_server_is_not_the_hub_s_fault"
MONITORING = "tests/test_hub_monitoring.py"
RAISED = "test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_beside_it"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="where the request log is switched off, a request that the hub failed has no line",
        file="gateway/hub/http/request_record.py",
        old="if not has_failed and (not every or is_good_monitoring):",
        new="if not every or is_good_monitoring:",
        tests=(f"{RECORD}::{FAILED}",),
    ),
    Mutant(
        name="monitoring's own requests fill the log",
        file="gateway/hub/http/request_record.py",
        old="is_good_monitoring = record.operation in MONITORING and",
        new="is_good_monitoring = record.operation not in MONITORING and",
        tests=(f"{RECORD}::{LOG}",),
    ),
    Mutant(
        name="what waits behind a retailer's slow server counts as the hub's lag",
        file="gateway/hub/webhooks/queue.py",
        old="free = and_(endpoints.c.enabled, endpoints.c.leased <= now, _IS_SENDABLE, ~_IS_PAUSED)",
        new="free = and_(endpoints.c.enabled, _IS_SENDABLE, ~_IS_PAUSED)",
        tests=(f"{METRICS}::{BEHIND}",),
    ),
    Mutant(
        name="nobody is called when jobs are late",
        file="config/hub/alerts.yaml",
        old="expr: max(perron_jobs_lag_seconds) > 60",
        new="expr: max(perron_jobs_lag_seconds) > 6000",
        tests=(f"{MONITORING}::{RAISED}",),
    ),
)
