"""Wrong stacks whose problem is in a typed setting of the engine, in where weights come from, or in what a replica is made of."""

from tests.unit.wrong_models import H100, MODEL

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "tool call parser that does not exist": (
        {f"{MODEL}.engine.toolCallParser": "hermess"},
        f"{MODEL}.engine.toolCallParser",
        "'hermess' is not a parser of tool calls",
        "'hermes'",
    ),
    "reasoning parser that does not exist": (
        {f"{MODEL}.engine.reasoningParser": "deepseek-r1"},
        f"{MODEL}.engine.reasoningParser",
        "'deepseek-r1' is not a parser of reasoning",
        "'deepseek_r1'",
    ),
    "chat template that is a path": (
        {f"{MODEL}.engine.chatTemplate": "./templates/tools.jinja"},
        f"{MODEL}.engine.chatTemplate",
        "no Jinja template",
        "template's text",
    ),
    "empty chat template": ({f"{MODEL}.engine.chatTemplate": ""}, f"{MODEL}.engine.chatTemplate", "''", "at least 1 character"),
    "chat template larger than a ConfigMap": (
        {f"{MODEL}.engine.chatTemplate": "{{ messages }}" + "ü" * 600_000},
        f"{MODEL}.engine.chatTemplate",
        "1,200,014 bytes",
        "shorten",
    ),
    "ranks that the node has no GPUs for": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-30B-A3B", f"{MODEL}.parallelism": {"tensor": 2, "data": 8, "expert": True}},
        f"{MODEL}.parallelism",
        "16 GPUs (tensor 2 x pipeline 1 x data 8)",
        "one node",
    ),
    "no rank at all": ({f"{MODEL}.parallelism.data": 0}, f"{MODEL}.parallelism.data", "0", "greater than 0"),
    "fp8 blocks cut by ranks": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism": {"data": 8}},
        f"{MODEL}.parallelism.tensor",
        "1536 over 8 GPUs",
        "parallelism.expert",
    ),
    "experts spread, the rest too large for each rank": (
        H100 | {f"{MODEL}.source": "deepseek-ai/DeepSeek-R1", f"{MODEL}.parallelism": {"data": 8, "expert": True}},
        f"{MODEL}.nodePool",
        "does not fit",
        "more memory",
    ),
    "tool call parser as a list": ({f"{MODEL}.engine.toolCallParser": ["hermes"]}, f"{MODEL}.engine.toolCallParser", "['hermes']", "text"),
}
