"""`make preview` and `make check`: a stack planned, and the whole program run offline, without an account, a cluster or the Pulumi CLI."""
