"""`python -m tools.pinned_vllm flags|verdicts|answers`: see the package."""

from __future__ import annotations

import sys
from importlib import import_module

_FIRST = "tools.pinned_vllm.stand_in"  # before anything of vLLM


def main() -> int:
    if sys.argv[1:] == ["flags"]:
        import_module(_FIRST)
        from tools.pinned_vllm import flags

        unclassed = flags.rewrite()
        print("\n".join(f"needs a class: {flag}" for flag in unclassed) or "every flag has its class")
        return bool(unclassed)
    if sys.argv[1:] == ["verdicts"]:
        import_module(_FIRST)
        from tools.pinned_vllm import verdicts

        print(verdicts.rewrite())
        return 0
    if sys.argv[1:] == ["answers"]:
        from tools.pinned_vllm.answers import record

        print(record.rewrite())
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
