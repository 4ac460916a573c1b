"""`make demo`: a stack's gateway in a real Envoy on this machine, in front of stand-in model servers or of vLLM for CPU."""
