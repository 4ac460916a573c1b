"""A stand-in for vLLM's OpenAI server, for demonstrations, tests and benchmarks: all that a gateway or a client can tell, and no model."""

from tools.demo.model_server.fleet import Fleet, fleet
from tools.demo.model_server.server import ModelServer, Received
from tools.demo.model_server.settings import HEALTHY, Faults, ServerSettings

__all__ = ["HEALTHY", "Faults", "Fleet", "ModelServer", "Received", "ServerSettings", "fleet"]
