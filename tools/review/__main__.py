"""`make diff`: what the working tree changes against a git reference, for each given stack.

Exit codes: 0 compared; 2 a stack cannot work after the change, or there is nothing to compare with; 3 the change
violates a mandatory policy.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from dataclasses import asdict

from rich.console import Console

from policy.rules import LevelsError
from tools.review.changes import Review
from tools.review.markdown import comment
from tools.review.text import print_review
from tools.review.trees import BaseError, base_commit, review


def main() -> int:
    parser = argparse.ArgumentParser(prog="diff", description="Plan stacks before and after a change, and compare.")
    parser.add_argument("stacks", nargs="+", metavar="stack", help="name of a stack: Pulumi.<stack>.yaml")
    parser.add_argument("--base", required=True, help="git reference that the change is to be merged into")
    parser.add_argument("--format", choices=["text", "markdown", "json", "html"], default="text")
    arguments = parser.parse_args()
    try:
        commit = base_commit(arguments.base)
        reviews = [review(stack, commit) for stack in arguments.stacks]
    except BaseError as error:
        print(f"cannot compare with {error}", file=sys.stderr)
        return 2
    except LevelsError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.format == "html":
        return max(report(one, arguments.base) for one in reviews)
    write(reviews, arguments.format)
    return 2 if any(one.problems for one in reviews) else 3 if any(one.forbidden for one in reviews) else 0


def report(review: Review, base: str) -> int:
    """A preview of the stack, whose report says what changes; its exit code is the preview's."""
    from tools.preview.__main__ import preview  # other formats draw no page
    from tools.review.page import changes

    return preview(review.stack, changes=changes(review, base))


def write(reviews: list[Review], how: str) -> None:
    if how == "json":
        print(json.dumps([asdict(one) for one in reviews], indent=1))
    elif how == "markdown":
        print("\n".join(map(comment, reviews)), end="")
    else:
        console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
        for one in reviews:
            print_review(console, one)


if __name__ == "__main__":
    gc.set_threshold(1_000_000)  # the SDKs define so many classes that garbage collection takes most of their import time
    code = main()
    gc.freeze()  # or Python looks through all classes of the SDKs once more before it ends
    sys.exit(code)
