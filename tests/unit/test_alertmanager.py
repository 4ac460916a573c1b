"""Who is told of what: Alertmanager's own tool routes every severity, and a real one keeps to itself what another alert explains."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import yaml

from components.observability.alertmanager import INHIBITIONS, alertmanager_config, receiver_secrets
from config.alerting import Alerting
from tests import prometheus_tools
from tests.unit.test_alerts import alerts
from tools.ports import free_port

EVERYTHING = {
    "slack": {"channel": "#llm-alerts"},
    "pagerDuty": {},
    "webhook": {"url": "https://alerts.acme.example/hook"},
}


def config(alerting=None, *, webhook_token=True):
    return alertmanager_config(Alerting.model_validate(alerting or {}), webhook_token=webhook_token)


def written(tmp_path, content):
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.mark.parametrize("alerting", [{}, EVERYTHING, {"slack": {"channel": "#a", "severities": ["warning"]}}], ids=str)
def test_amtool_accepts_it(alerting, tmp_path):
    content = config(alerting)
    prometheus_tools.run("amtool", "check-config", written(tmp_path, content))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=critical", "alertname=ModelDown", "model=a"], "critical"),
        (["severity=warning", "alertname=QueueBacklog", "model=a"], "warning"),
        (["severity=info", "alertname=ClientOverLimit"], "nobody"),
        (["severity=none", "alertname=Watchdog"], "nobody"),
        (["severity=none", "alertname=InfoInhibitor", "namespace=a"], "nobody"),
        (["alertname=SomebodyElses"], "nobody"),
    ],
    ids=str,
)
def test_every_severity_reaches_its_receiver(labels, receiver, tmp_path):
    file = written(tmp_path, config(EVERYTHING))
    assert prometheus_tools.run("amtool", "config", "routes", "test", f"--config.file={file}", *labels).strip() == receiver


def test_a_severity_goes_where_the_stack_says_and_nowhere_else():
    found = {one["name"]: set(one) - {"name"} for one in config(EVERYTHING)["receivers"]}
    assert found["critical"] == {"slack_configs", "pagerduty_configs", "webhook_configs"}
    assert found["warning"] == {"slack_configs", "webhook_configs"}
    assert found["nobody"] == set()


def test_keys_are_files_and_never_part_of_it():
    text = json.dumps(config(EVERYTHING))
    files = set(re.findall(r"/etc/alertmanager/secrets/alert-receivers/(\w+)", text))
    assert files == set(receiver_secrets(Alerting.model_validate(EVERYTHING), webhook_token=True))
    assert not re.search(r'"(api_url|routing_key|credentials|service_key|password)"', text)


def test_inhibitions_name_alerts_that_there_are():
    known = alerts()
    assert set(INHIBITIONS) <= set(known)
    for rows in INHIBITIONS.values():
        for explained, _ in rows:
            for pattern in explained.split("|"):
                assert [name for name in known if re.fullmatch(pattern, name)], pattern


# What fires together for one cause, and what of it is told.
CAUSES = {
    "a model's last replica dies": (
        ["ModelDown model=a", "ErrorBudgetBurnsFast model=a", "ErrorRatioHigh model=a", "GatewayErrorRatioHigh namespace=gateway",
         "PodCrashLooping namespace=model-a pod=x", "MetricsTargetDown model=a namespace=model-a"],
        ["ModelDown", "PodCrashLooping"],
    ),
    "the gateway is gone": (
        ["GatewayDown namespace=gateway", "ErrorBudgetBurnsFast model=a", "ErrorBudgetBurnsFast model=b",
         "MetricsTargetDown namespace=gateway"],
        ["GatewayDown"],
    ),
    "a GPU falls off the bus": (
        ["GpuXidError namespace=model-a pod=x UUID=1", "EngineStuck model=a namespace=model-a pod=x", "ErrorBudgetBurnsFast model=a"],
        ["GpuXidError"],
    ),
    "the budget is spent": (["BudgetSpent", "BudgetForecastExceeded", "BudgetBurn"], ["BudgetSpent"]),
    "two models fail for reasons of their own": (
        ["ModelDown model=a", "ErrorBudgetBurnsFast model=b"],
        ["ErrorBudgetBurnsFast", "ModelDown"],
    ),
}  # fmt: skip
WAIT_SECONDS = 20


@pytest.fixture
def alertmanager(tmp_path):
    """Address of a real one with this configuration, which tells nobody."""
    program, port = prometheus_tools.tool("prometheus-alertmanager"), free_port()
    options = [f"--config.file={written(tmp_path, config())}", f"--storage.path={tmp_path}", f"--web.listen-address=127.0.0.1:{port}"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([program, *options, "--cluster.listen-address="], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def asked(address, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{address}/api/v2/{path}", data=data, headers={"content-type": "application/json"})
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
                content = answer.read()
                return json.loads(content) if content else None
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(("firing", "told"), CAUSES.values(), ids=CAUSES)
def test_one_cause_is_told_once(firing, told, alertmanager):
    labels = [dict(label.split("=") for label in f"alertname={one}".split()) for one in firing]
    asked(alertmanager, "alerts", [{"labels": one} for one in labels])
    deadline = time.monotonic() + WAIT_SECONDS
    found = None
    while found != sorted(told) and time.monotonic() < deadline:
        found = sorted(one["labels"]["alertname"] for one in asked(alertmanager, "alerts?inhibited=false"))
        time.sleep(0.2)
    assert found == sorted(told)
