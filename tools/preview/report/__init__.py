"""`build/<stack>/report.html`: what a reviewer reads who knows neither GPUs nor Pulumi. One file, which asks for nothing else.

Each section has a module that turns plan and recording into what is shown, and a template; templates compute nothing.
"""
