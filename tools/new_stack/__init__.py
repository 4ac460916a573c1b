"""`make new-stack`: a stack file that works, from a few answers."""
