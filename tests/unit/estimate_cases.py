"""What the alerts on the plan's estimates fire on, and what they must not be mistaken for."""

from __future__ import annotations

from tests.unit.alert_series import EVER, MODEL, NAMESPACE, Case, engine, replica

OF_MODEL = {"model": MODEL}


def histogram(what: str, mean: float) -> dict[str, str]:
    """Of 10 requests a minute."""
    name = f"vllm:request_{what}_tokens"
    return engine(f"{name}_sum", f"0+{10 * mean}{EVER}") | engine(f"{name}_count", f"0+10{EVER}")


def started(seconds: str) -> dict[str, str]:
    """A replica that was given a node at time 0 and was ready so much later."""
    who = f'namespace="{NAMESPACE}",pod="a",uid="a"'
    return {f"kube_pod_status_scheduled_time{{{who}}}": f"0{EVER}", f"kube_pod_status_ready_time{{{who}}}": seconds}


ESTIMATED = {
    **replica("a"),
    **engine("vllm:num_requests_running", f"12{EVER}"),
    **engine("vllm:num_requests_waiting", f"0{EVER}"),
    **{name: values for what, tokens in (("prompt", 1155), ("generation", 211)) for name, values in histogram(what, tokens).items()},
}
ESTIMATES = {
    # Planned: 12 requests in flight at a replica, prompts of 1155 and answers of 211 tokens, 142 tokens/s within 33 %; near: half the load.
    "EstimateOff of speed": Case(
        ESTIMATED | engine("vllm:generation_tokens_total", "0+3600x120 432000+9000x150"),
        engine("vllm:num_requests_running", f"6{EVER}"),
        "90m",
        "200m",
        OF_MODEL | {"figure": "output_tokens"},
    ),
    # 441 s from a node to being ready (image 214, weights 77, engine 150), and at most twice that.
    "EstimateOff of start-up": Case(started("1000x150 500x150"), started("875x300"), "80m", "260m", OF_MODEL | {"figure": "startup"}),
    # 15 % below 22,623 tokens.
    "KvCacheBelowPlan": Case(
        engine("vllm:cache_config_info", "1x60 _x60", kv_cache_size_tokens="19228"),
        engine("vllm:cache_config_info", "_x120", kv_cache_size_tokens="19228")
        | engine("vllm:cache_config_info", f"1{EVER}", kv_cache_size_tokens="19230"),
        "30m",
        "100m",
        OF_MODEL,
    ),
}
