"""`make bench-plan`, `make bench-preview` and `make bench-gateway`: time, memory and throughput, measured."""
