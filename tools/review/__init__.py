"""`make diff`: what a change of the repository does to a stack, planned offline on both sides and compared."""
