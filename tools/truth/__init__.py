"""`make truth`: what planning says, held against what vLLM reported.

Reads measured points, plans each as a stack would, and prints both side by side. Fits nothing and decides no numbers.
"""
