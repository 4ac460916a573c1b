"""Start-up logs of vLLM as rows that the plan uses; the logs are cut down to the lines that matter."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from config.errors import StackError
from config.measured import Measured
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.right_memory import A100_80, MODEL
from tools.catalogue.calibrate.__main__ import main
from tools.catalogue.calibrate.row import measured_row
from tools.catalogue.calibrate.startup_log import Incomplete, read

LOGS = Path(__file__).parent.parent / "data" / "startup_logs"
QWEN = (LOGS / "qwen3-8b-a100-40gb-0.19.1.log").read_text()
LLAMA = (LOGS / "llama-3.1-8b-a100-80gb-0.31.0.log").read_text()
EXPERTS = (LOGS / "qwen3-235b-fp8-rtx-pro-6000-tp4-0.27.1.log").read_text()


def printed(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_a_log_becomes_a_row(capsys):
    path = str(LOGS / "qwen3-235b-fp8-rtx-pro-6000-tp4-0.27.1.log")
    status, out, _ = printed(capsys, path)
    (row,) = yaml.safe_load(out)["measured"]
    assert status == 0
    assert Measured.model_validate(row).gpu == "nvidia-rtx-pro-6000"
    expected = {"tensorParallelSize": 4, "weightsGiB": 55.19, "kvCacheGiB": 27.85, "kvCacheTokens": 621392, "vllm": "0.27.1"}
    assert expected.items() <= row.items()
    assert (row["gpuMemoryUtilization"], row["maxNumBatchedTokens"], row["maxNumSeqs"], row["maxModelLen"]) == (0.9, 8192, 32, 32768)


def test_what_was_left_to_vllm_is_read_from_other_lines():
    found = read(QWEN)
    assert (found.version, found.utilization, found.batched_tokens, found.max_num_seqs) == ("0.19.1", 0.9, 2048, None)
    assert (found.weights, found.kv_cache, found.tokens, found.max_model_len) == (15.27, 19.36, 140960, 40960)
    assert read(LLAMA).utilization == 0.92


def test_colours_and_a_second_start_in_the_same_log_do_no_harm():
    coloured = QWEN.replace("INFO", "\x1b[32mINFO\x1b[0m").replace("15.27", "\x1b[1m15.27\x1b[0m")
    assert read(coloured) == read(QWEN)
    assert read(QWEN + LLAMA).version == "0.31.0"


def test_of_several_gpus_the_one_with_the_least_counts():
    other = EXPERTS.replace("Worker_TP0", "Worker_TP2").replace("27.85", "27.11").replace("55.19", "55.33")
    both = EXPERTS + "".join(line + "\n" for line in other.splitlines() if "Worker_TP2" in line)
    assert (read(both).weights, read(both).kv_cache) == (55.33, 27.11)


def test_a_day_in_the_future_was_last_year():
    assert measured_row(read(QWEN), "nvidia-tesla-a100", date(2026, 6, 24)).date == "2025-06-25"
    assert measured_row(read(QWEN), "nvidia-tesla-a100", date(2026, 6, 25)).date == "2026-06-25"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("Initializing a V1 LLM engine", "Initializing a V1 LLM engine"),
        ("Model loading took", "Model loading took"),
        ("Available KV cache memory", "Available KV cache memory"),
        ("GPU KV cache size", "did not start"),
        ("gpu-memory-utilization", "gpu_memory_utilization"),
        ("compile_ranges_endpoints", "max_num_batched_tokens"),
        ("tensor_parallel_size", "tensor_parallel_size"),
    ],
)
def test_an_incomplete_log_is_told_which_line_it_lacks(gone, said):
    with pytest.raises(Incomplete, match=said):
        read(QWEN.replace(gone, "garbled"))


def test_a_start_that_vllm_refused_is_no_measure():
    with pytest.raises(Incomplete, match="did not start"):
        read(QWEN.replace("19.36", "-2.14"))


@pytest.mark.parametrize("text", ["", "nonsense\n" * 3, "\x00\xff", QWEN[:900]])
def test_garbage_ends_in_one_line_and_status_2(tmp_path, capsys, text):
    path = tmp_path / "vllm.log"
    path.write_text(text)
    status, out, err = printed(capsys, str(path))
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_a_gpu_that_the_log_does_not_tell_is_asked_for(tmp_path, capsys):
    status, _, err = printed(capsys, str(LOGS / "qwen3-8b-a100-40gb-0.19.1.log"))
    assert (status, "GPU=" in err) == (2, True)
    status, out, _ = printed(capsys, str(LOGS / "qwen3-8b-a100-40gb-0.19.1.log"), "--gpu", "nvidia-tesla-a100")
    assert (status, "gpu: nvidia-tesla-a100" in out) == (0, True)
    status, _, err = printed(capsys, str(LOGS / "qwen3-8b-a100-40gb-0.19.1.log"), "--gpu", "nvidia-a1000")
    assert (status, "nvidia-a1000" in err) == (2, True)
    assert printed(capsys, str(tmp_path / "missing.log"))[0] == 2


MEASURED = {
    "gpu": "nvidia-a100-80gb",
    "gpuMemoryUtilization": 0.92,
    "maxModelLen": 8192,
    "maxNumBatchedTokens": 2048,
    "maxNumSeqs": 256,
    "weightsGiB": 15.5,
    "kvCacheGiB": 50.0,
    "kvCacheTokens": 300_000,
    "vllm": "0.31.0",
    "date": "2026-10-06",
}


def planned(changes=None, **measured):
    rows = {f"{MODEL}.measured": [MEASURED | measured], f"{MODEL}.engine": {"maxModelLen": 8192, "gpuMemoryUtilization": 0.92}}
    return make_plan(settings(A100_80 | rows | (changes or {}))).models["qwen3-8b"].memory


def test_a_measured_start_of_the_same_shape_is_what_the_plan_says():
    memory = planned()
    assert (memory.weights, memory.measured) == (15.5, "vLLM 0.31.0, 2026-10-06")
    assert memory.kv_cache == pytest.approx(50.0)
    assert memory.kv_tokens == pytest.approx(300_000, abs=1)


def test_another_utilization_shifts_the_kv_cache_by_the_difference_of_what_vllm_may_take():
    less = planned({f"{MODEL}.engine.gpuMemoryUtilization": 0.82})
    assert planned().kv_cache - less.kv_cache == pytest.approx(0.1 * less.device)


def test_a_larger_batch_and_a_wider_step_take_from_the_measured_kv_cache():
    assert planned({f"{MODEL}.engine.maxNumSeqs": 512}).kv_cache < planned().kv_cache
    assert planned({f"{MODEL}.engine.maxNumBatchedTokens": 32768}).kv_cache < planned().kv_cache


@pytest.mark.parametrize("other", [{"gpu": "nvidia-h100-80gb"}, {"tensorParallelSize": 2}, {"enforceEager": True}])
def test_a_start_of_another_shape_is_not_used(other):
    assert planned(**other).measured is None


@pytest.mark.parametrize(
    ("wrong", "path", "said"),
    [
        ({"gpu": "nvidia-l5"}, "measured[0].gpu", "nvidia-l4"),
        ({"kvCacheGiB": 70.0}, "measured[0]", "make calibrate"),
        ({"date": "yesterday"}, "measured[0].date", "YYYY-MM-DD"),
        ({"weightsGiB": 0}, "measured[0].weightsGiB", "greater than 0"),
    ],
)
def test_a_row_that_no_start_reported_is_refused(wrong, path, said):
    with pytest.raises(StackError) as caught:
        planned(**wrong)
    assert any(problem.path == f"{MODEL}.{path}" and said in f"{problem.message}; {problem.fix}" for problem in caught.value.problems)
