"""Rows of the catalogue from a model's config.json (`make describe-model`) and from start-up logs of vLLM (`make calibrate`)."""
