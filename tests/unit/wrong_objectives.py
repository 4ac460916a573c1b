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
