"""Every flag of the pinned vLLM has a class, and `extraArgs` is read as vLLM's own parser reads it."""

import pytest
from pydantic_core import PydanticCustomError

from config import catalog, engine_flags
from config.engine_flags import flags_of_class, parse

ROWS = engine_flags.catalogue()["flags"]
# Additional keys of a row by its class.
OF_CLASS = {"owned": {"setting"}, "counted": {"counts"}, "free": set(), "refused": {"reason"}}
CONDITIONS = {"allowed", "because", "least", "needs", "same_as"}
PARSED = {"boolean", "negation", "type", "choices", "keys", "nargs"}


def test_the_flags_are_those_of_the_pinned_image():
    assert catalog.image("vllm").tag == f"v{engine_flags.catalogue()['version']}"
    assert not set(engine_flags.catalogue()["removed"]) & set(ROWS)
    assert set(engine_flags.catalogue()["aliases"].values()) <= set(ROWS)


@pytest.mark.parametrize("flag", ROWS)
def test_every_flag_has_a_class_with_what_belongs_to_it(flag):
    row = ROWS[flag]
    assert row["class"] in OF_CLASS, f"{flag} needs a class: does a setting write it, does planning read it, is it free, is it refused?"
    assert set(row) - {"class"} - PARSED - CONDITIONS == OF_CLASS[row["class"]]
    if "allowed" in row or "needs" in row:
        assert row["because"]


def test_every_reason_to_refuse_is_used_and_says_what_to_do():
    reasons = engine_flags.catalogue()["reasons"]
    assert {ROWS[flag]["reason"] for flag in flags_of_class("refused")} == set(reasons)
    assert all(set(reason) == {"because", "instead"} for reason in reasons.values())


def test_the_setting_that_owns_a_flag_exists():
    for flag in flags_of_class("owned"):
        section, *keys = ROWS[flag]["setting"].split(".")
        known = SETTINGS.get(section)
        assert known is not None, f"{flag}: no setting {section}"
        for key in keys:
            known = known[key]


def _keys(model) -> dict:
    keys = {}
    for name, field in model.model_fields.items():
        member = field.annotation if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields") else None
        keys[field.alias or name] = _keys(member) if member else {}
    return keys


def _settings() -> dict:
    from config.models import Model
    from config.platform import Platform, Tracing

    platform = _keys(Platform) | {"tracing": _keys(Tracing)}
    return _keys(Model) | {"platform": platform, "secrets": {"huggingFaceToken": {}}}


SETTINGS = _settings()


# Results of vLLM 0.33.0's own parser (FlexibleArgumentParser.parse_args).
READ = {
    "--enable-sleep-mode": ("--enable-sleep-mode", (), True),
    "--no-enable-chunked-prefill": ("--enable-chunked-prefill", (), False),
    "--disable-chunked-prefill": ("--enable-chunked-prefill", (), False),
    "--disable-cascade-attn": ("--enable-cascade-attn", (), False),
    "--block-size=16": ("--block-size", (), 16),
    "--cpu-offload-gb=16": ("--cpu-offload-gb", (), 16.0),
    "--kv-cache-memory-bytes=25.6k": ("--kv-cache-memory-bytes", (), 25_600),
    "--kv-cache-memory-bytes=1K": ("--kv-cache-memory-bytes", (), 1024),
    "--compilation-config.mode=3": ("--compilation-config", ("mode",), 3),
    "--compilation-config.cudagraph_mode=NONE": ("--compilation-config", ("cudagraph_mode",), "NONE"),
    "--compilation-config.cudagraph_capture_sizes+=1,2": ("--compilation-config", ("cudagraph_capture_sizes+",), ["1", "2"]),
    '--compilation-config={"mode": 3}': ("--compilation-config", (), {"mode": 3}),
    '--limit-mm-per-prompt={"image": 2}': ("--limit-mm-per-prompt", (), {"image": 2}),
    "--limit-mm-per-prompt.image=2": ("--limit-mm-per-prompt", ("image",), 2),
}


@pytest.mark.parametrize(("argument", "read"), READ.items(), ids=READ)
def test_a_flag_is_read_as_vllm_reads_it(argument, read):
    flag = parse(argument)
    assert (flag.name, flag.keys, flag.value) == read


@pytest.mark.parametrize("argument", ["--no-enable-cascade-attn", "--enable-log-stats", "--kv-cache-memory-bytes=1.5K", "--block-size=1k"])
def test_what_vllms_parser_refuses_is_refused(argument):
    with pytest.raises(PydanticCustomError):
        parse(argument)
