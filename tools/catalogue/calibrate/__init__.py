"""`make calibrate`: the memory figures of a vLLM start-up log, as a `measured` row for the plan."""
