"""`make truth`: points with inexact model and GPU names, its summary line and its exit status."""

import csv
import json
from pathlib import Path

import pytest

from tools.truth import gpus, memory
from tools.truth.__main__ import DATA, main
from tools.truth.models import Models
from tools.truth.points import version
from tools.truth.report import mean_error

POINTS = DATA / "memory.csv"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("A100-80", "nvidia-a100-80gb"),
        ("A100-40", "nvidia-tesla-a100"),
        ("A100-80GB", "nvidia-a100-80gb"),
        ("NVIDIA A100-SXM4-80GB", "nvidia-a100-80gb"),
        ("H100", "nvidia-h100-80gb"),
        ("H100-SXM-80GB", "nvidia-h100-80gb"),
        ("NVIDIA H100 80GB HBM3", "nvidia-h100-80gb"),
        ("H200-SXM-141GB", "nvidia-h200-141gb"),
        ("B200 (HGX)", "nvidia-b200"),
        ("B200-SXM-180GB", "nvidia-b200"),
        ("L4", "nvidia-l4"),
        ("8xL4", "nvidia-l4"),
        ("2\u00d7L4 24GB", "nvidia-l4"),
        ("RTX5090", "nvidia-geforce-rtx-5090"),
        ("GeForce RTX 4090", "nvidia-geforce-rtx-4090"),
        ("A10G", "nvidia-a10g"),
        ("H100 NVL", "nvidia-h100-nvl"),
        ("H100-PCIe-80GB", "nvidia-h100-pcie"),
        ("T4", "nvidia-tesla-t4"),
        ("RTX PRO 6000", "nvidia-rtx-pro-6000"),
        ("RTX PRO 6000 Blackwell Server Edition", "nvidia-rtx-pro-6000"),
        ("H100x8", "nvidia-h100-80gb"),
    ],
)
def test_a_gpu_is_found_by_the_names_of_reports(name, key):
    found = gpus.find(name)
    assert found is not None
    assert found[0] == key


@pytest.mark.parametrize("name", ["A100", "", "H100-200GB", "MI300X", "80", "A1000"])
def test_a_gpu_that_is_not_told_apart_is_unknown(name):
    assert gpus.find(name) is None


@pytest.mark.parametrize(
    ("name", "quantization", "source", "bits"),
    [
        ("Llama-3.1-8B", "none", "meta-llama/Llama-3.1-8B", None),
        ("Llama3.1-8B", "", "meta-llama/Llama-3.1-8B", None),
        ("Meta-Llama-3.1-8B-Instruct", "", "meta-llama/Meta-Llama-3.1-8B-Instruct", None),
        ("Llama-3.3-70B-Instruct FP8", "compressed-tensors", "nvidia/Llama-3.3-70B-Instruct-FP8", 8),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "", "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", 8),
        ("Llama-3.1-70B w8a8", "compressed-tensors", "meta-llama/Llama-3.1-70B", 8),
        ("openai/gpt-oss-120b", "fp4", "openai/gpt-oss-120b", 4),
        ("Qwen3-14B-AWQ", "awq", "Qwen/Qwen3-14B-AWQ", 4),
        ("Gemma 3 27B", "", "google/gemma-3-27b-it", None),
        ("Mistral-Small-3.2-24B", "", "mistralai/Mistral-Small-3.2-24B-Instruct-2506", None),
        ("Qwen3-235B-FP8", "", "Qwen/Qwen3-235B-A22B-FP8", 8),
        ("Qwen3-32B", "FP8 dynamic", "Qwen/Qwen3-32B-FP8", 8),
        ("Qwen3-32B", "gptq-int4", "Qwen/Qwen3-32B-AWQ", 4),
        ("Qwen3-32B", "fp8_e4m3", "Qwen/Qwen3-32B-FP8", 8),
        ("Llama-3.3-70B-Instruct-quantized.w8a8", "", "nvidia/Llama-3.3-70B-Instruct-FP8", 8),
        ("Llama-2-7b-chat", "", "meta-llama/Llama-2-7b-hf", None),
        ("Mixtral-8x7B", "", "mistralai/Mixtral-8x7B-v0.1", None),
        ("Mixtral-8x7B-Instruct", "bfloat16", "mistralai/Mixtral-8x7B-v0.1", None),
        ("Llama-4-Scout", "fp8", "meta-llama/Llama-4-Scout-17B-16E", 8),
        ("Nemotron Nano 30B", "fp8", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8", 8),
    ],
)
def test_a_model_is_found_by_its_words_with_the_quantization_told_apart(name, quantization, source, bits):
    found = Models().find(name, quantization)
    assert found is not None
    config = found.architecture.quantization_config
    assert (found.source, config.bits if config else None) == (source, bits)


@pytest.mark.parametrize(
    "name", ["Llama-3.1", "Qwen3", "Mistral-7B", "Llama-3.1-9B", "Qwen3-Coder-8B", "", "DeepSeek-R1-Distill-Llama-9B", "FP8"]
)
def test_a_model_that_is_only_alike_is_unknown(name):
    assert Models().find(name) is None


@pytest.mark.parametrize("quantization", ["bitsandbytes", "compressed-tensors", "w4a8", "q4_k_m"])
def test_a_quantization_that_is_not_known_is_not_taken_for_none(quantization):
    assert Models().find("Qwen3-32B", quantization) is None
    assert quantization in Models().why_unknown("Qwen3-32B", quantization)


@pytest.mark.parametrize(
    "place",
    [
        "acme--Tiny-1B.json",
        "acme__Tiny-1B.json",
        "acme_Tiny-1B.json",
        "Tiny-1B.json",
        "Tiny-1B.config.json",
        "acme/Tiny-1B/config.json",
        "Tiny-1B/config.json",
        "models--acme--Tiny-1B/snapshots/0a1b/config.json",
    ],
)
def test_a_model_of_a_folder_is_found_where_its_config_lies(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((DATA / "configs" / "Qwen--Qwen3.5-9B.json").read_text())
    (path.parent / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": None}}))
    found = Models(tmp_path).find("Tiny-1B")
    assert found is not None
    assert found.architecture.hidden_size == 4096


def test_a_config_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "acme--Odd-1B.json").write_text("[1, 2]")
    models = Models(tmp_path)
    assert models.find("Odd-1B") is None
    assert "acme--Odd-1B.json cannot be read" in models.why_unknown("Odd-1B")


@pytest.mark.parametrize(
    ("text", "found"), [("~0.31", (0, 31)), ("0.1x", (0, 1)), ("vllm 0.10.1.1", (0, 10, 1, 1)), ("?", ()), ("0.19.2rc1.dev8", (0, 19, 2))]
)
def test_versions_are_read_as_reports_write_them(text, found):
    assert version(text) == found


def written(tmp_path: Path, *changes: dict[str, str], points: Path = POINTS) -> str:
    """A table of copies of the first shipped point, changed."""
    with points.open(newline="") as file:
        first = next(csv.DictReader(file))
    path = tmp_path / "points.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(first))
        table.writeheader()
        table.writerows(first | change for change in changes)
    return str(path)


def said(capsys, *arguments: str) -> tuple[int, list[str]]:
    status = main(list(arguments))
    return status, capsys.readouterr().out.splitlines()


def test_the_shipped_points_meet_the_aims(capsys):
    status, lines = said(capsys)
    assert status == 0, [line for line in lines if line.startswith("missed")]
    summary = next(line for line in lines if line.startswith("memory: "))
    assert "accepted but refused 0" in summary


def test_a_missed_aim_is_said_and_is_status_1(tmp_path, capsys):
    status, lines = said(capsys, "--memory", written(tmp_path, {"reported_kv_gib": "28", "reported_kv_tokens": "230000"}))
    assert status == 1
    assert any(line.startswith("missed") and "1.25" in line for line in lines)


def test_a_start_that_vllm_refused_and_the_plan_accepts_is_a_missed_aim(tmp_path, capsys):
    status, lines = said(capsys, "--memory", written(tmp_path, {"reported_kv_gib": "-1.5", "reported_kv_tokens": ""}))
    assert (status, any("1 starts that vLLM refused" in line for line in lines)) == (1, True)


def test_unknown_models_and_gpus_are_counted_and_never_guessed(tmp_path, capsys):
    path = written(tmp_path, {}, {"id": "X1", "model": "Nobody-7B"}, {"id": "X2", "gpu": "MI300X"})
    status, lines = said(capsys, "--memory", path)
    assert status == 0
    assert [line.split(":")[1].strip() for line in lines if line.startswith("unknown")] == ["X1", "X2"]
    assert "unknown 2" in next(line for line in lines if line.startswith("memory: "))


def test_a_point_whose_settings_cannot_be_is_unknown(tmp_path, capsys):
    path = written(tmp_path, {}, {"id": "X1", "util": "1.4"}, {"id": "X2", "dtype": "auto/none/kv nonsense"})
    _, lines = said(capsys, "--memory", path)
    assert [line.split(":")[1].strip() for line in lines if line.startswith("unknown")] == ["X1", "X2"]


@pytest.mark.parametrize(
    "change",
    [
        {"tp": "-2"},
        {"input_len": "-512"},
        {"output_len": "1e12"},
        {"output_tok_s": "-1"},
        {"concurrency_or_qps": "concurrency=0"},
        {"concurrency_or_qps": "as many as it takes"},
        {"concurrency_or_qps": ""},
    ],
)
def test_a_measurement_that_no_run_has_or_of_a_load_that_is_not_understood_is_unknown(tmp_path, capsys, change):
    path = written(tmp_path, {"concurrency_or_qps": "16"}, change, points=DATA / "throughput.csv")
    _, lines = said(capsys, "--throughput", path)
    assert "throughput: 1 points" in lines[-1]
    assert lines[-1].endswith("unknown 1")


@pytest.mark.parametrize(
    "change",
    [
        {"batched": ""},
        {"batched": "default", "reported_needed_gib": "n/a"},
        {"dtype": "auto/none/kv bf16"},
        {"util": "~0.9"},
        {"max_model_len": ""},
        {"vllm": ""},
        {"reported_weights_gib": ""},
        {"dtype": ""},
    ],
)
def test_empty_fields_are_no_error(tmp_path, capsys, change):
    assert said(capsys, "--memory", written(tmp_path, change))[0] in (0, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "lacks the columns"),
        ("a,b\n1,2\n", "lacks the columns id"),
        (",".join(memory.COLUMNS) + "\n", "no rows"),
        (",".join(memory.COLUMNS) + "\n" + "X,0.3,Llama-3.1-8B,L4,one" + "," * 8 + "\n", "not a number"),
        (",".join(memory.COLUMNS) + "\n" + "X,0.3,Llama-3.1-8B,L4,nan" + "," * 8 + "\n", "not a number"),
        ("\x00\x01", "lacks the columns"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line_and_status_2(tmp_path, capsys, content, reason):
    path = tmp_path / "points.csv"
    path.write_text(content)
    assert main(["--memory", str(path)]) == 2
    err = capsys.readouterr().err
    assert (reason in err, err.count("\n")) == (True, 1)


def test_a_missing_table_or_folder_is_one_line_and_status_2(tmp_path, capsys):
    assert main(["--memory", str(tmp_path / "none.csv")]) == 2
    assert main(["--configs", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_the_mean_error_is_that_of_ratios_to_one():
    assert mean_error([0.9, 1.2]) == pytest.approx(0.15)
    assert mean_error([]) == 0
