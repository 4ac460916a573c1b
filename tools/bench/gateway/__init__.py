"""`make bench-gateway`: latency and CPU of the gateway, compared with no gateway, a plain TCP proxy and vllm-router, in one run.

Everything runs on 127.0.0.1: wrk as the clients, `upstream` as the model server, and between them one of `targets`. Every round measures
every target, and medians over the rounds are reported, because machines are noisy.
"""
