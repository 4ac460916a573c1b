"""YAML that people read: text of several lines is written as lines, and nothing as a reference to what stands above."""

from __future__ import annotations

from typing import Any

import yaml


class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Writes text of several lines as lines."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Dumper.add_representer(str, _text)


def as_yaml(*documents: Any, width: int) -> str:
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=width)
