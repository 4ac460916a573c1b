"""Wrong stacks whose problem is in a typed setting of the engine, in where weights come from, or in what a replica is made of."""

from tests.unit.wrong_models import MODEL

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
    "tool call parser as a list": ({f"{MODEL}.engine.toolCallParser": ["hermes"]}, f"{MODEL}.engine.toolCallParser", "['hermes']", "text"),
}
