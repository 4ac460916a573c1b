"""`make calibrate`: what a start-up log of vLLM says of memory, as a row that the plan uses."""
