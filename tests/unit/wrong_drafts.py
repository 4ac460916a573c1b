"""Wrong stacks whose problem is in speculative decoding."""

from tests.stacks import REVISION
from tests.unit.wrong_models import H100, MODEL

SPECULATIVE = f"{MODEL}.engine.speculative"
DRAFT = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "revision": REVISION, "numSpeculativeTokens": 3}
SHORT_DRAFT = {
    "model_type": "qwen3",
    "hidden_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "intermediate_size": 1024,
    "vocab_size": 151936,
    "max_position_embeddings": 4096,
}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "draft without a model": ({SPECULATIVE: {"method": "eagle3", "numSpeculativeTokens": 3}}, SPECULATIVE, "needs a model", "give model"),
    "n-grams of a model": ({SPECULATIVE: DRAFT | {"method": "ngram"}}, SPECULATIVE, "has no model", "draft_model"),
    "method that vLLM lacks": (
        {SPECULATIVE: {"method": "medusa", "numSpeculativeTokens": 3}},
        f"{SPECULATIVE}.method",
        "'medusa'",
        "'draft_model'",
    ),
    "nothing proposed": ({SPECULATIVE: {"method": "ngram"}}, f"{SPECULATIVE}.numSpeculativeTokens", "not given", "add it"),
    "lookup of a draft model": ({SPECULATIVE: DRAFT | {"promptLookupMax": 4}}, SPECULATIVE, "for method ngram", "remove"),
    "lookup from long to short": (
        {SPECULATIVE: {"method": "ngram", "numSpeculativeTokens": 3, "promptLookupMin": 5, "promptLookupMax": 2}},
        SPECULATIVE,
        "5 is above promptLookupMax 2",
        "lower",
    ),
    "head as a draft model": (
        {SPECULATIVE: DRAFT | {"model": "acme/Qwen3-8B-eagle3"}},
        SPECULATIVE,
        "treats a model with 'eagle3' in its name as a head",
        "the method that it was made for",
    ),
    "draft of a branch": ({SPECULATIVE: DRAFT | {"revision": "main"}}, f"{SPECULATIVE}.revision", "branch or tag", "40 hexadecimal"),
    "draft that nobody knows": (
        {SPECULATIVE: DRAFT | {"model": "acme/draft"}},
        f"{SPECULATIVE}.model",
        "not in the catalogue",
        "architecture",
    ),
    "draft of another vocabulary": (
        {SPECULATIVE: DRAFT | {"model": "microsoft/DialoGPT-medium"}},
        f"{SPECULATIVE}.model",
        "has 50257 tokens, that of Qwen/Qwen3-8B 151936",
        "same vocabulary",
    ),
    "draft of a shorter context": (
        {SPECULATIVE: DRAFT | {"architecture": SHORT_DRAFT}},
        f"{SPECULATIVE}.model",
        "made for 4096 positions, to which vLLM would lower the model's 8192",
        "at most 4096",
    ),
    "draft whose heads do not divide": (
        H100 | {f"{MODEL}.parallelism.tensor": 4, SPECULATIVE: DRAFT | {"architecture": SHORT_DRAFT | {"num_attention_heads": 2}}},
        f"{SPECULATIVE}.model",
        "2 attention heads do not divide over 4 GPUs",
        "another draft",
    ),
    "prediction of many tokens by a model without": (
        {SPECULATIVE: {"method": "mtp", "numSpeculativeTokens": 1}},
        f"{SPECULATIVE}.method",
        "no layers for multi-token prediction",
        "eagle3",
    ),
    "more proposed tokens than a step holds": (
        {SPECULATIVE: DRAFT | {"numSpeculativeTokens": 16}, f"{MODEL}.engine.maxNumBatchedTokens": 16, f"{MODEL}.engine.maxNumSeqs": 16},
        f"{SPECULATIVE}.numSpeculativeTokens",
        "no room for 16",
        "propose fewer",
    ),
    "proposed tokens of all adapters": (
        {
            SPECULATIVE: {"method": "ngram", "numSpeculativeTokens": 8},
            f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}},
        },
        f"{SPECULATIVE}.numSpeculativeTokens",
        "each of 256 sequences",
        "at least 2304",
    ),
    "draft beside a bucket": (
        {SPECULATIVE: DRAFT, f"{MODEL}.weights": {"uri": "gs://bucket/qwen3"}},
        f"{SPECULATIVE}.model",
        "no volume for it",
        "ngram or mtp",
    ),
    "draft that leaves no room": (
        {SPECULATIVE: DRAFT | {"model": "Qwen/Qwen3-4B"}},
        f"{MODEL}.nodePool",
        "does not fit",
        "more memory",
    ),
}
