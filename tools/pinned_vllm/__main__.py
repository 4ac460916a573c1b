"""`python -m tools.pinned_vllm flags|verdicts`: see the package."""

from __future__ import annotations

import sys

from tools.pinned_vllm import stand_in  # noqa: F401  (before anything of vLLM)


def main() -> int:
    if sys.argv[1:] == ["flags"]:
        from tools.pinned_vllm import flags

        unclassed = flags.rewrite()
        print("\n".join(f"needs a class: {flag}" for flag in unclassed) or "every flag has its class")
        return bool(unclassed)
    if sys.argv[1:] == ["verdicts"]:
        from tools.pinned_vllm import verdicts

        print(verdicts.rewrite())
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
