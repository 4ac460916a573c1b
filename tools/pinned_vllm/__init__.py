"""Data from vLLM itself: the flags of its argument parser, its verdicts on engine arguments, and its server's answers.

Run by hand where that vLLM can be imported (`pip install vllm==<version>`; no GPU is needed), never by the tests:
`python -m tools.pinned_vllm flags` rewrites `config/catalog/vllm_flags.json`, `python -m tools.pinned_vllm verdicts` rewrites
`tests/data/engine_verdicts.json`. `python -m tools.pinned_vllm answers` needs a `vllm` on PATH that can serve (the one for CPU does)
and rewrites `tests/data/vllm_answers.json`.
"""
