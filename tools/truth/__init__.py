"""`make truth`: planned memory and speed, compared with what vLLM reported.

Reads measured points, plans each as for a stack, and prints both side by side. It fits no constants (`make fit` does).
"""
