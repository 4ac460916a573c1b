"""Data from the pinned vLLM itself: the flags of its argument parser, and its verdicts on engine arguments.

Run by hand where that vLLM can be imported (`pip install vllm==<version>`; no GPU is needed), never by the tests:
`python -m tools.pinned_vllm flags` rewrites `config/catalog/vllm_flags.json`, `python -m tools.pinned_vllm verdicts` rewrites
`tests/data/engine_verdicts.json`.
"""
