"""Formats of credentials, so that one pasted anywhere in a stack is refused, and never printed.

The formats are those that issuers publish for secret scanning: Hugging Face, OpenAI and similar, AWS, GitHub, GitLab, Slack, Google,
NVIDIA NGC, Docker Hub, Pulumi, JSON Web Tokens, private keys, and URLs with a password.
"""

from __future__ import annotations

import re
from typing import Any

from config.errors import Problem, join

TOKEN = "[not shown]"
MOST_NESTED, MOST_VALUES = 50, 1_000_000
_FORMATS = (
    r"hf_(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{5,}|hf_[A-Za-z0-9]{16,}",
    r"sk-[A-Za-z0-9]{16,}|sk-(?:proj|ant|or|svcacct|admin)-[\w-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{20,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{16,}",
    r"AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
    r"nvapi-[\w-]{20,}|dckr_pat_[\w-]{20,}|pul-[0-9a-f]{40}",
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
)
_KNOWN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_FORMATS)})|://[^/\s:@]*:[^/\s@]+@")
# Substrings of the formats, one of which every credential contains: a fast test that spares most stacks the regular expression.
_PARTS = ("hf_", "sk-", "AKIA", "ASIA", "gh", "glpat-", "xox", "xapp-", "AIza", "ya29.", "GOCSPX-", "nvapi-", "dckr_pat_", "pul-", "eyJ")
_PARTS += ("-----BEGIN", "@")


def has_token(text: str) -> bool:
    """Whether `text` contains a credential of a known format."""
    return any(part in text for part in _PARTS) and _KNOWN.search(text) is not None


def looks_random(text: str) -> bool:
    """Whether a word looks generated: a known format, a long hexadecimal number, or a long mix of upper case, lower case and digits."""
    if has_token(text) or re.fullmatch(r"[0-9a-fA-F]{24,}", text):
        return True
    kinds = sum(any(test(character) for character in text) for test in (str.islower, str.isupper, str.isdigit))
    return kinds == 3 and re.search(r"[A-Za-z0-9+/=]{20,}", text) is not None


def without_tokens(value: Any, path: str) -> tuple[Any, list[Problem]]:
    """A copy of `value` without credentials, encrypted values and lone surrogates, and a problem for each one removed."""
    texts = _texts(value)
    if texts is None:
        fix = f"nest at most {MOST_NESTED} levels, and {MOST_VALUES:,} values in all"
        return TOKEN, [Problem(path, "is nested too deeply, or refers to itself, or is too large", fix)]
    if not any(has_token(text) or text == "secure" or _is_half(text) for text in texts):
        return value, []
    problems: list[Problem] = []
    return _cleaned(value, path, problems), problems


def _texts(value: Any) -> list[str] | None:
    """All keys and texts in `value`; None where it is nested too deeply or too large to be a stack's."""
    texts, count, waiting = [], 0, [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        count += 1
        if depth > MOST_NESTED or count > MOST_VALUES:
            return None
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, dict):
            texts += [str(key) for key in one]
            waiting += [(entry, depth + 1) for entry in one.values()]
        elif isinstance(one, (list, tuple)):
            waiting += [(item, depth + 1) for item in one]
    return texts


def _is_half(text: str) -> bool:
    """Whether `text` has a lone UTF-16 surrogate, which JSON can express and UTF-8 cannot."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _cleaned(value: Any, path: str, problems: list[Problem]) -> Any:
    if isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str):
        fix = "encrypted values are read under `secrets` only; set it without --secret"
        problems.append(Problem(path, "is encrypted, and the plan prints settings", fix))
        return TOKEN
    if isinstance(value, dict):
        return {_name(key): _cleaned(entry, join(path, [_checked(key, path, problems)]), problems) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item, join(path, [index]), problems) for index, item in enumerate(value)]
    return _checked(value, path, problems) if isinstance(value, str) else value


def _name(key: Any) -> Any:
    return TOKEN if has_token(str(key)) or _is_half(str(key)) else key


def _checked(text: Any, path: str, problems: list[Problem]) -> str:
    if _is_half(str(text)):
        problems.append(Problem(path, "holds a lone UTF-16 surrogate, which is no character", "correct the text"))
        return TOKEN
    if not has_token(str(text)):
        return str(text)
    message = "holds what looks like a token or password, in the clear (it is not shown here)"
    fix = "revoke it; secrets go under `secrets`, by pulumi config set --secret --path 'secrets.<name>' <value>"
    problems.append(Problem(path, message, fix))
    return TOKEN
