"""`make bench-gateway`: what the gateway costs, against no gateway, a plain TCP proxy and vllm-router, in one run on one machine.

Everything runs on 127.0.0.1: wrk as the clients, `upstream` as the model server, and between them one of `targets`. The targets take
turns in every round, and medians over the rounds are reported, because machines are noisy.
"""
