"""Wrong stacks whose objectives no replica meets, or whose prices contradict themselves."""

from tests.unit.wrong_models import MODEL

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    # Qwen3-8B in 16 bits: 15.3 GiB of weights at 300 GB/s are 55 ms a token.
    "an L4 that should write 50 tokens a second of an 8B": (
        {f"{MODEL}.slo.tpotSeconds": 0.02},
        f"{MODEL}.slo.tpotSeconds",
        "single request in flight",
        "raise parallelism.tensor or choose a faster GPU",
    ),
    # 2 x 8.2e9 x 6,000 operations at 121 TFLOPS are 0.8 s.
    "a long prompt that should be read at once": (
        {f"{MODEL}.slo.ttftSeconds": 0.3, f"{MODEL}.traffic": {"promptTokens": 6000}},
        f"{MODEL}.slo.ttftSeconds",
        "a prompt of 6000 tokens",
        "shorten traffic.promptTokens",
    ),
    # 0.25 and 0.5 are edges of vllm:time_to_first_token_seconds, 0.05 and 0.075 of the other (tests/data/vllm_metrics.json).
    "a time to the first token that no bucket ends at": (
        {f"{MODEL}.slo.ttftSeconds": 3},
        f"{MODEL}.slo.ttftSeconds",
        "no edge of a bucket",
        "2.5 or 5",
    ),
    "a time per token that no bucket ends at": (
        {f"{MODEL}.slo.tpotSeconds": 0.12},
        f"{MODEL}.slo.tpotSeconds",
        "no edge of a bucket",
        "0.1 or 0.15",
    ),
    "a time to the first token beyond the last bucket": (
        {f"{MODEL}.slo.ttftSeconds": 3600},
        f"{MODEL}.slo.ttftSeconds",
        "no edge of a bucket",
        "2560",
    ),
    "an edge of vLLM's that the stack's own buckets leave out": (
        {f"{MODEL}.slo.ttftSeconds": 2.5, f"{MODEL}.engine.extraArgs": ['--custom-histogram-buckets={"time_to_first_token": [1, 2, 3]}']},
        f"{MODEL}.slo.ttftSeconds",
        "no edge of a bucket",
        "2 or 3",
    ),
    "range of a spot price that does not hold it": (
        {"budget.prices": {"g2-standard-12": {"spotUsdPerHour": 0.5, "spotRangeUsdPerHour": [0.6, 0.9]}}},
        "budget.prices.g2-standard-12",
        "spotUsdPerHour 0.5 is not between 0.6 and 0.9",
        "the least first",
    ),
    "range of a spot price without one": (
        {"budget.prices": {"g2-standard-12": {"spotRangeUsdPerHour": [0.6, 0.9]}}},
        "budget.prices.g2-standard-12",
        "not between",
        "the least first",
    ),
}
