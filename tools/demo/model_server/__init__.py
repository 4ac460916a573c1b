"""A stand-in for vLLM's OpenAI-compatible server, for demo, tests and benchmarks: it behaves like vLLM to clients, without a model."""

from tools.demo.model_server.fleet import Fleet, fleet
from tools.demo.model_server.server import ModelServer, Received
from tools.demo.model_server.settings import HEALTHY, Faults, ServerSettings

__all__ = ["HEALTHY", "Faults", "Fleet", "ModelServer", "Received", "ServerSettings", "fleet"]
