"""The cluster of the platform: a GKE cluster that the program creates, or an existing one."""
