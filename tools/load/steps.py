"""The steps of a load test, each a run of `vllm bench serve`. Runs in vLLM's image, so it uses Python's standard library alone.

Prompts are token ids, different in each request: they have the planned length exactly, no prefix of theirs is cached, and no tokenizer has
to be downloaded. A line of JSON a step goes to standard output, everything else to standard error. One argument: the test, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MARK = "load-test-step: "
# Any ids do that are words of the model and none of its special tokens, which are first or last in every vocabulary.
MOST_WORDS = 8000
_SCHEME = "Bearer"


def run(test: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The result of each step, until one misses an objective or refuses requests.

    Raises:
        SystemExit: `vllm bench serve` failed; what it said is on standard error.
    """
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", **os.environ, **_key(test)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_tokenizer(folder, test["vocabulary"])
        for in_flight in test["steps"]:
            write_requests(folder / "requests.jsonl", in_flight * test["requestsPerCaller"], test["promptTokens"], test["outputTokens"])
            finished = subprocess.run(command(test, folder, in_flight), env=environment, stdout=sys.stderr, check=False)  # noqa: S603
            if finished.returncode:
                raise SystemExit(finished.returncode)
            result = json.loads((folder / "result.json").read_text())
            yield result
            if ending(result, test["slo"]):
                return


def command(test: Mapping[str, Any], folder: Path, in_flight: int) -> list[str]:
    goodput = [f"{name}:{seconds * 1000:g}" for name, seconds in test["slo"].items()]
    return [
        "vllm", "bench", "serve",
        "--backend=openai", f"--base-url={test['url']}", "--endpoint=/v1/completions", f"--model={test['model']}",
        f"--tokenizer={folder}", "--tokenizer-mode=hf",
        "--dataset-name=timed_trace", f"--dataset-path={folder / 'requests.jsonl'}", "--no-self-timed",
        "--timed-trace-chunk-hash-size=1000000000", "--timed-trace-label-timestamp=timestamp", "--timed-trace-label-hash-ids=ids",
        "--timed-trace-label-input-length=input", "--timed-trace-label-output-length=output",
        f"--num-prompts={in_flight * test['requestsPerCaller']}", f"--max-concurrency={in_flight}", "--temperature=0",
        "--percentile-metrics=ttft,tpot,itl,e2el", "--metric-percentiles=50,95,99", "--disable-tqdm",
        "--save-result", f"--result-dir={folder}", "--result-filename=result.json",
        *(["--goodput", *goodput] if goodput else []),
        *(["--insecure"] if test["url"].startswith("https://") else []),
    ]  # fmt: skip


def ending(result: Mapping[str, Any], slo: Mapping[str, float]) -> str:
    """Why no further step is made; empty where one is. Objectives are means, as the plan has them."""
    if result["failed"]:
        return f"{result['failed']} of {result['num_prompts']} requests were refused or broke off"
    for name, seconds in slo.items():
        if (mean := result[f"mean_{name}_ms"] / 1000) > seconds:
            return f"mean {name.upper()} {mean:.3g} s, and {seconds:g} s is the objective"
    return ""


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """One whose words are ids in the middle of the model's vocabulary."""
    words = min(MOST_WORDS, vocabulary // 2)
    first = (vocabulary - words) // 2
    ids = {f"t{number}": number for number in range(first, first + words)}
    model = {"type": "WordLevel", "vocab": ids, "unk_token": f"t{first}"}
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))


def write_requests(path: Path, requests: int, prompt_tokens: int, output_tokens: int) -> None:
    with path.open("w") as file:
        for number in range(requests):
            print(json.dumps({"timestamp": 0, "input": prompt_tokens, "output": output_tokens, "ids": [number]}), file=file)


def _key(test: Mapping[str, Any]) -> dict[str, str]:
    """The client's key out of the gateway's own file of keys, where there is one; as a variable, so that no command line shows it."""
    if not test.get("keys"):
        return {}
    found = json.loads(Path(test["keys"]).read_text())["resources"][0]["typed_config"]["credentials"]
    keys = [one["key"] for one in found if one["client"] == test["client"] and not one["key"].lower().startswith(f"{_SCHEME.lower()} ")]
    return {"OPENAI_API_KEY": keys[0]}


if __name__ == "__main__":
    for step in run(json.loads(sys.argv[1])):
        print(MARK + json.dumps(step), flush=True)
