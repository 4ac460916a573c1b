"""Where the platform runs: a GKE cluster of its own, or one that exists."""
