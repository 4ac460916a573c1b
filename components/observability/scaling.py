"""Recording rules that say how many replicas a model should have: what KEDA reads. The formula is that of planning/scaling.py.

Every rule results in exactly one element for a model, whatever its number of replicas and engines. The count is absolute, so replicas
that are starting need no credit. What cannot be measured is held: a scrape that breaks takes no replica away.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.gateway.envoy.clusters import cluster_name
from components.naming import BURST, FLOOR, model_namespace
from components.observability.capacity import POD_IS_READY, pods_of
from components.observability.rules import Group, Recording, joined
from planning import scaling as law
from planning.plan import ModelPlan
from planning.scaling import ScalingTarget
from planning.startup import NODE_SECONDS

# Answers that a mean is made of, at least.
_FEWEST_ANSWERS = 20
# Of rates: what the count follows, and what shows how it varies.
_LONG, _SHORT = "long", "short"


@dataclass(frozen=True)
class Pace:
    """Windows in seconds. Tests of the whole chain use shorter ones."""

    every: int = 15
    arrivals: int = 60
    trend: int = law.TREND_SECONDS
    spread: int = 300
    means: int = 600
    served: int = 300
    held: int = 3600
    """How long the last known wish stands for one that cannot be measured."""
    blink: int = 60
    """How long a floor replica may be not ready before the burst replaces it."""
    without_node: int = NODE_SECONDS
    """After which a spot replica without a node gets an on-demand replica in its place."""

    @property
    def short(self) -> int:
        """Of the rate whose spread is looked at: three samples."""
        return 3 * self.every


DEFAULT_PACE = Pace()


def model_scaling(
    plan: ModelPlan,
    *,
    gateway: bool,
    gpu_percent: int | None = None,
    budget: bool = False,
    sleep_after: int | None = None,
    two_colours: bool = False,
    pace: Pace = DEFAULT_PACE,
) -> Group:
    """Of one model with a burst. `gateway`: one counts what arrives. `gpu_percent`: scale up at this utilization, too. `budget`: rules of
    an hourly one say what it pays. `sleep_after`: seconds without a request until no replica is left. `two_colours`: each for itself."""
    rules = _Rules(plan, pace, gateway, sleep_after, two_colours)
    return Group(
        f"scaling-{plan.key}",
        [
            *(rules.arriving(plan.scaling) if plan.scaling else []),
            *rules.reasons(gpu_percent),
            *rules.replicas(budget=budget),
            *(rules.stand_ins() if plan.has_stand_ins else []),
        ],
        interval=f"{pace.every}s",
    )


@dataclass(frozen=True)
class _Rules:
    plan: ModelPlan
    pace: Pace
    gateway: bool
    sleep_after: int | None = None
    two_colours: bool = False

    def of(self, record: str, **labels: str) -> str:
        """The model's one element of a rule's series, without labels, as sums over the engines have none."""
        return f"max({self._series(record, **labels)})"

    def _series(self, record: str, **labels: str) -> str:
        matchers = [self._own, *(f'{key}="{value}"' for key, value in labels.items())]
        return f"{record}{{{', '.join(matchers)}}}"

    def _over(self, function: str, record: str, seconds: int, **labels: str) -> str:
        return f"max({function}({self._series(record, **labels)}[{seconds}s]))"

    @property
    def _own(self) -> str:
        return f'model="{self.plan.key}"'

    @property
    def _clusters(self) -> str:
        """Envoy's clusters: of all colours, unless each colour scales by its own requests."""
        return f'envoy_cluster_name=~"{cluster_name(self.plan.name, self.plan.colour if self.two_colours else ".+")}"'

    def _one(self, record: str, *lines: str, **labels: str) -> Recording:
        return Recording(record, joined(*lines), ("model", *labels), {"model": self.plan.key, **labels})

    def _held(self, record: str) -> str:
        return self._over("last_over_time", record, self.pace.held)

    def arriving(self, target: ScalingTarget) -> list[Recording]:
        """Replicas for the work that arrives, its trend, its spread, and the backlog."""
        pace, work = self.pace, self.of("model:work:rate", span=_LONG)
        ahead = law.TREND * (target.startup_seconds + law.REACTION_SECONDS)
        before = f"(max({self._series('model:work:rate', span=_LONG)} offset {pace.trend}s) or {work})"
        backlog = f"clamp_min({self._waiting} - {law.WAITING_PER_REPLICA} * {self.of('model:replicas_answering:count')}, 0)"
        return [
            self._mean("model:prompt_tokens:mean", "vllm:request_prompt_tokens", target.prompt_tokens),
            self._mean("model:answer_tokens:mean", "vllm:request_generation_tokens", target.output_tokens),
            *([self._tokens_per_byte()] if self.gateway else []),
            *self._correction(target),
            *self._replica(target),
            *self._work(target, _LONG, pace.arrivals),
            *self._work(target, _SHORT, pace.short),
            self._one(
                "model:replicas_for:law",
                f"{law.HEADROOM:g} * ({work} + {ahead:.6g} * clamp_min({work} - {before}, 0) / {pace.trend})",
                f"+ {law.SPREAD:g} * {self._over('stddev_over_time', 'model:work:rate', pace.spread, span=_SHORT)}",
                f"+ ({backlog} / ({law.BACKLOG_SECONDS:g} * {self.of('model:replica_requests:law')}) or 0 * {work})",
                reason="arrivals",
            ),
        ]

    def _mean(self, record: str, metric: str, planned: float) -> Recording:
        """Tokens of a request, of those that ended lately; else what was last known, at first the plan's."""
        total, count = (f"sum(increase({metric}_{one}{{{self._own}}}[{self.pace.means}s]))" for one in ("sum", "count"))
        return self._one(record, f"{total} / ({count} >= {_FEWEST_ANSWERS})", f"or {self._held(record)}", f"or vector({planned:g})")

    def _tokens_per_byte(self) -> Recording:
        """The gateway counts bytes as they arrive. How many tokens a request has the engines tell: means of each, so that neither's absence
        shows in the ratio."""
        record, counted = "model:prompt_tokens_per_byte:ratio", f"total{{{self._clusters}}}[{self.pace.means}s]"
        sent, requests = (f"sum(increase(envoy_cluster_upstream_{one}_{counted}))" for one in ("cx_tx_bytes", "rq"))
        tokens = f"{self.of('model:prompt_tokens:mean')} * {requests}"
        return self._one(record, f"{tokens} / ({sent} > 0) and {requests} >= {_FEWEST_ANSWERS}", f"or {self._held(record)}")

    def _correction(self, target: ScalingTarget) -> list[Recording]:
        """How many times longer the work takes than planned: `correction()` of planning/scaling.py, over all replicas."""
        window, planned = f"{self.pace.served}s", law.replica(target, target.prompt_tokens, target.output_tokens)

        def rate(metric: str) -> str:
            return f"sum(rate({metric}{{{self._own}}}[{window}]))"

        answering, running, ratio = "model:replicas_answering:count", "model:requests_running:mean", "model:step_time:ratio"
        return [
            self._one(answering, f"count(sum by (namespace, pod) (vllm:num_requests_running{{{self._own}}}))"),
            self._one(running, f"sum(vllm:num_requests_running{{{self._own}}}) / {self.of(answering)}"),
            # Rates are of all that answered in the window, and so is the number: else each that comes or goes would be a correction.
            self._one(
                ratio,
                "clamp(",
                f"  {self._over('avg_over_time', answering, self.pace.served)} / (",
                f"    {target.step_seconds / target.engines:.6g} * {rate('vllm:iteration_tokens_total_count')}",
                f"    + {target.prompt_token_seconds:.6g} * {rate('vllm:prompt_tokens_total')}",
                f"    + {target.prompt_seconds:.6g} * {rate('vllm:request_success_total')}",
                f"    + {self._per_output(target)} * {rate('vllm:generation_tokens_total')}",
                f"  ), {law.LEAST_CORRECTION:g}, {law.MOST_CORRECTION:g}",
                f") and {self._over('avg_over_time', running, self.pace.served)} >= {law.LEAST_RUNNING * planned.in_flight:.6g}",
            ),
            self._one("model:step_correction:avg", f"{self._over('avg_over_time', ratio, self.pace.means)} or vector(1)"),
        ]

    def _per_output(self, target: ScalingTarget) -> str:
        context = f"({self.of('model:prompt_tokens:mean')} + {self.of('model:answer_tokens:mean')} / 2)"
        return f"({target.sequence_seconds:.6g} + {target.context_seconds:.6g} * {context})"

    def _replica(self, target: ScalingTarget) -> list[Recording]:
        """What one replica can do: `replica()` of planning/scaling.py."""
        prompt, answer = self.of("model:prompt_tokens:mean"), self.of("model:answer_tokens:mean")
        correction, each = self.of("model:step_correction:avg"), self.of("model:request_seconds:law")
        step = f"{correction} * {target.step_seconds:.6g}"
        running = f"clamp_max({law.KV_SHARE * target.kv_tokens:.6g} / ({prompt} + {answer} / 2), {target.max_num_seqs:g})"
        most = min(law.BUSIEST, target.busiest_for_ttft)
        rate, in_memory = self.of("model:replica_requests:law"), f"{running} / ({answer} * {step} + {running} * {each})"
        busiest = f"clamp(1 - {step} / {target.tpot_seconds:g}, {law.LEAST_BUSY:g}, {most:.6g})" if target.tpot_seconds else f"{most:.6g}"
        return [
            self._one(
                "model:request_seconds:law",
                f"{correction} * ({target.prompt_seconds:.6g} + {target.prompt_token_seconds:.6g} * {prompt}",
                f"  + {answer} * {self._per_output(target)})",
            ),
            self._one("model:replica_requests:law", f"{busiest} / {each} < {in_memory}", f"or {in_memory}"),
            self._one("model:replica_in_flight:law", f"{rate} * {answer} * {step} / (1 - {rate} * {each})"),
        ]

    def _work(self, target: ScalingTarget, span: str, window: int) -> list[Recording]:
        """What arrives a second: requests, prompt tokens that no prefix cache holds, and the replicas that they keep as busy as they may
        be. Of requests the gateway's word, else what the engines have answered."""
        arrivals, prompts = "model:arrivals:rate", "model:prompt_tokens_arriving:rate"
        requests, tokens = self.of(arrivals, span=span), self.of(prompts, span=span)
        answer, prompt = self.of("model:answer_tokens:mean"), self.of("model:prompt_tokens:mean")
        hits, asked = (f"sum(rate(vllm:prefix_cache_{one}_total{{{self._own}}}[{self.pace.means}s]))" for one in ("hits", "queries"))
        by_gateway, by_bytes = [], []
        if self.gateway:
            requested, sent = (_seen(f"envoy_cluster_upstream_{one}_total{{{self._clusters}}}", window) for one in ("rq", "cx_tx_bytes"))
            by_gateway, by_bytes = [f"{requested} or"], [f"{sent} * {self.of('model:prompt_tokens_per_byte:ratio')} or"]
        busy = f"({self.of('model:replica_requests:law')} * {self.of('model:request_seconds:law')})"
        return [
            self._one(arrivals, *by_gateway, _seen(f"vllm:request_success_total{{{self._own}}}", window), span=span),
            self._one(prompts, "(", *by_bytes, f"{requests} * {prompt}", f") * (1 - ({hits} / ({asked} > 0) or vector(0)))", span=span),
            self._one(
                "model:work:rate",
                f"{self.of('model:step_correction:avg')} * ({target.prompt_token_seconds:.6g} * {tokens}",
                f"  + {requests} * ({target.prompt_seconds:.6g} + {answer} * {self._per_output(target)})) / {busy}",
                span=span,
            ),
        ]

    def reasons(self, gpu_percent: int | None) -> list[Recording]:
        """Lower bounds that need no forecast. With the gateway away, and the engines' word alone, these still hold."""
        own, plan = self._own, self.plan
        in_flight = f"(sum(vllm:num_requests_running{{{own}}}) + {self._waiting})"
        each = self.of("model:replica_in_flight:law") if plan.scaling else f"{plan.capacity.target_in_flight}"
        ranks = f"count(vllm:kv_cache_usage_perc{{{own}}}) / count(sum by (namespace, pod) (vllm:kv_cache_usage_perc{{{own}}}))"
        rules = [
            self._one("model:replicas_for:law", f"{in_flight} / {each}", reason="in-flight"),
            self._one(
                "model:replicas_for:law", f"sum(vllm:kv_cache_usage_perc{{{own}}}) / ({ranks}) / {law.KV_SHARE:g}", reason="kv-cache"
            ),
        ]
        if self.sleep_after is not None:
            rules.append(self._awake(self.sleep_after))
        if gpu_percent is not None:
            pods = f', pod=~"{pods_of(plan)}"' if self.two_colours else ""
            used = f'sum(DCGM_FI_DEV_GPU_UTIL{{namespace="{model_namespace(plan.name)}"{pods}}})'
            rules.append(self._one("model:replicas_for:law", f"{used} / {gpu_percent * max(1, plan.shape.gpus)}", reason="gpu"))
        return rules

    def _awake(self, seconds: int) -> Recording:
        """1 if somebody asked lately, in vain or not; else 0, and nothing where no gateway pod says a word. A counter that is new counts
        from 0: Envoy shows none before its first event, which is the request that wakes the model."""
        served, refused, active = (
            f"envoy_cluster_upstream_{one}{{{self._clusters}}}" for one in ("rq_total", "cx_none_healthy", "rq_active")
        )
        more = [f"(sum(clamp_min({one} - ({one} offset {seconds}s or 0 * {one}), 0)) or vector(0))" for one in (served, refused)]
        asked = [" + ".join([*more, f"(sum({active}) or vector(0))"]), "> bool 0 and count(envoy_server_live)"]
        return self._one("model:replicas_for:law", *asked, reason="awake")

    @property
    def _waiting(self) -> str:
        """Not those that wait for an adapter or a transfer, which more replicas would not help."""
        return f'sum(vllm:num_requests_waiting_by_reason{{{self._own}, reason="capacity"}})'

    def replicas(self, *, budget: bool) -> list[Recording]:
        """What the model should have, and the part of it that the floor does not cover just now."""
        plan, pace = self.plan, self.pace
        # Of a model that sleeps only the gateway knows anything.
        least, known = (plan.floor or 1, "arrivals") if self.sleep_after is None else (0, "awake")
        wanted, ready, burst = "model:replicas_wanted:law", "model:floor_ready:count", "model:burst_replicas:wanted"
        paid = self.of("model:burst_replicas:budget")
        desired = [f"{self.of(burst)} < {paid}", f"or {paid}", f"or {self.of(burst)}"] if budget else [self.of(burst)]
        return [
            self._one(
                wanted,
                f"clamp(ceil({self.of('model:replicas_for:law')}), {least}, {plan.floor + plan.burst})",
                # Rates need two samples: without them the lower bounds alone would take replicas away.
                *([f"and {self.of('model:replicas_for:law', reason=known)}"] if plan.scaling or known == "awake" else []),
            ),
            self._one(ready, self._pods(FLOOR, f"({POD_IS_READY})"), f"or {self._held(ready)}", f"or vector({plan.floor})"),
            self._one(
                burst,
                f"clamp(({self.of(wanted)} or {self._held(wanted)}) - {self._over('max_over_time', ready, pace.blink)}, 0, {plan.burst})",
            ),
            self._one("model:burst_replicas:desired", *desired),
        ]

    def _pods(self, tier: str, condition: str) -> str:
        """0 where there is none; nothing where kube-state-metrics says nothing."""
        pods = f'pod:of_model:group{{{self._own}, tier="{tier}"}}'
        return f"(count({pods} and on (namespace, pod) {condition}) or 0 * count(kube_node_info))"

    def stand_ins(self) -> list[Recording]:
        """On-demand replicas for burst replicas that find no spot node: as many as have waited long, until spot replicas are ready."""
        record, burst = "model:stand_ins:desired", self.of("model:burst_replicas:desired")
        waiting, ready = "model:burst_without_node:count", "model:burst_ready:count"
        missing = f"clamp_min({burst} - {self.of(ready)}, 0)"
        before = f"({self._held(record)} or 0 * {missing})"
        starved = self._over("min_over_time", waiting, self.pace.without_node)
        kept = f"({before} < {missing} or {missing})"
        return [
            self._one(waiting, self._pods(BURST, '(kube_pod_status_scheduled{condition="false"} == 1)')),
            self._one(ready, self._pods(BURST, f"({POD_IS_READY})")),
            self._one(record, f"{kept} > {starved} or {starved}"),
        ]


def _seen(counters: str, window: int) -> str:
    """The rate of counters that the last scrape has seen: of those that end inside the window it would fall bit by bit."""
    return f"(sum(rate({counters}[{window}s])) and sum({counters}))"
