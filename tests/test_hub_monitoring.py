"""What an operator's Prometheus and Grafana read of config/hub is valid, and speaks of what a hub really exports."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.hubs import broker_account, homes_broker, hub_file, run_hub

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "config" / "hub" / "alerts.yaml"
DASHBOARD = ROOT / "config" / "hub" / "grafana-dashboard.json"
RUNBOOK = ROOT / "docs" / "operator" / "hub-runbook.md"
CASES = ROOT / "tests" / "hub_alerts.yaml"

OF_PROMETHEUS = {"up"}  # it makes this series itself
LABELS_OF_PROMETHEUS = {"job", "instance", "le"}
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "inf", "nan"}


def read(path: Path) -> Any:  # noqa: ANN401 - YAML
    return YAML(typ="safe").load(path)


def rules() -> list[dict[str, Any]]:
    (group,) = read(ALERTS)["groups"]
    return list(group["rules"])


def drawn() -> Iterator[str]:
    """The expressions of the dashboard, with values for its variables."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$job", "perron-hub")


def promtool(*words: str | Path) -> None:
    told = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)  # noqa: S607 - Debian's
    assert told.returncode == 0, told.stdout + told.stderr


def named_in(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that an expression names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    labels = {
        one for inside in re.findall(r"\{([^}]*)\}", bare) for one in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)
    }
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    grouped = r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)"
    labels |= {one.strip() for inside in re.findall(grouped, bare) for one in inside.split(",")}
    bare = re.sub(grouped, " ", bare)
    return set(re.findall(r"\b(?!\d)[a-zA-Z_:][\w:]*\b(?!\s*\()", bare)) - {*WORDS, "Inf"}, labels


async def test_dashboard_and_alerts_name_only_metrics_and_labels_that_a_hub_exports(tmp_path: Path) -> None:
    async with (
        homes_broker("home-1") as broker,
        run_hub(hub_file(tmp_path, broker=broker_account(broker, tmp_path))) as hub,
        hub.http.get("/metrics") as answer,
    ):
        text = await answer.text()
    exported = set(OF_PROMETHEUS)
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        exported |= {name + part for part in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    table = (ROOT / "docs" / "operator" / "metrics.md").read_text()  # which tests/gateway/hub/test_metrics.py compares
    known = {
        label for row in re.findall(r"^\| `perron_.*$", table, re.MULTILINE) for label in re.findall(r"`([a-z]+)`", row)
    }
    for expression in (*drawn(), *(rule["expr"] for rule in rules())):
        metrics, labels = named_in(expression)
        assert metrics, expression
        assert metrics <= exported, expression
        assert labels <= known | LABELS_OF_PROMETHEUS, expression


def test_each_metric_of_a_hub_is_drawn() -> None:
    table = (ROOT / "docs" / "operator" / "metrics.md").read_text()
    metrics = re.findall(r"^\| `(perron_\w+)`", table, re.MULTILINE)
    drawn_metrics = {metric.removesuffix("_bucket") for expression in drawn() for metric in named_in(expression)[0]}
    assert set(metrics) - drawn_metrics == set()


def test_prometheus_reads_the_alerts_and_each_expression_of_the_dashboard(tmp_path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)
    made = tmp_path / "dashboard.yaml"
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(drawn())]
    made.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", made)
    assert len(recorded) > 30


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_beside_it(tmp_path: Path) -> None:
    by_name = {rule["alert"]: rule for rule in rules()}
    cases = read(CASES)["cases"]
    assert [case["alert"] for case in cases] == list(by_name)
    tests = []
    for case in cases:
        severity = by_name[case["alert"]]["labels"]
        raised = [{"exp_labels": {**severity, **labels}} for labels in case["raised"]]
        series = [{"series": name, "values": str(values)} for name, values in case["series"].items()]
        quiet = {"eval_time": "0m", "alertname": case["alert"]} if "for" in by_name[case["alert"]] else None
        looked = {"eval_time": case["at"], "alertname": case["alert"], "exp_alerts": raised}
        tests.append({"interval": "1m", "input_series": series,
                      "alert_rule_test": [looked, *([quiet] if quiet else [])]})  # fmt: skip
    bare = [{key: value for key, value in rule.items() if key != "annotations"} for rule in rules()]
    (tmp_path / "alerts.yaml").write_text(json.dumps({"groups": [{"name": "perron-hub", "rules": bare}]}))
    (tmp_path / "test.yaml").write_text(json.dumps({"rule_files": ["alerts.yaml"], "tests": tests}))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_the_runbook_says_of_each_alert_what_it_means_and_what_to_do() -> None:
    sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    told = {section.partition("\n")[0]: section for section in sections if section.startswith("Perron")}
    assert list(told) == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/operator/hub-runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert "**What to do**" in told[rule["alert"]]
        text = told[rule["alert"]].splitlines()[2]
        assert text.startswith(f"{rule['labels']['severity'].capitalize()}. "), "who reads it knows how urgent it is"


def test_grafana_can_import_the_dashboard() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert (dashboard["uid"], dashboard["schemaVersion"] >= 39) == ("perron-hub", True)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert "id" not in dashboard, "Grafana gives it one"
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}", "an operator chooses his own"
