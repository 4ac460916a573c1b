"""`make preview` and `make check`: plan a stack, and run the whole program offline, without account, cluster or Pulumi CLI."""
