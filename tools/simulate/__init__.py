"""`make simulate`: a trace replayed against a planned model in simulated time, by policy."""
