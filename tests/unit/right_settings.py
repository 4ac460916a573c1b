"""Stacks that work: what is changed in a stack that works already."""

from tests.unit.wrong_models import MODEL

# name: changes to a stack that works
RIGHT = {
    "parsers of another family": {f"{MODEL}.engine.toolCallParser": "qwen3_xml", f"{MODEL}.engine.reasoningParser": "none"},
}
