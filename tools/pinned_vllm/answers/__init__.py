"""What a real vLLM answers to a table of requests, kept as data so that the stand-in can be held against it.

`python -m tools.pinned_vllm answers` starts the `vllm` on PATH with a model of a few thousand random parameters that is made for the
run, asks it every question of `questions` and writes `tests/data/vllm_answers.json`. `make test` asks the stand-in the same.
"""
