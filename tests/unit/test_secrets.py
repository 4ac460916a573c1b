"""What stands where a secret belongs is never repeated, and credentials are known wherever they stand."""

import json
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from config.errors import StackError
from config.stack_config import load_stack_file, read_stack_file
from config.tokens import has_token
from planning.plan import make_plan
from tests.stacks import settings, stack
from tests.unit.wrong_gateways import CLIENT
from tests.unit.wrong_secrets import HEX_KEY, MANAGER, SECRET, TOKENS, WRONG
from tools.preview import __main__ as preview


@pytest.mark.parametrize("changes", [row[0] for row in WRONG.values()], ids=WRONG)
def test_nothing_said_about_a_wrong_secret_repeats_it(changes):
    with pytest.raises(StackError) as caught:
        make_plan(settings(changes))
    assert [secret for secret in SECRET if secret in repr(caught.value.problems)] == []


def test_ids_in_secret_manager_are_accepted():
    assert make_plan(settings(MANAGER | {"secrets.huggingFaceToken": "hugging-face_Token-1"})).gateway


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_credential_is_known_within_other_text(token):
    assert has_token(token)
    assert has_token(f"--header=Authorization: Bearer {token}")


@pytest.mark.parametrize(
    "text",
    [
        "Qwen/Qwen3-8B",
        "--hf_overrides",
        "hf_transfer",
        "hf_home",
        "desk-abcdefghijklmnopqrs",
        "sk-learn",
        "ghp_",
        "unsloth/gpt-oss-20b",
        "b968826d9c46dd6066d109eabc6255188de91218",
        "https://charts.acme.example:8443/a@b",
        "oci://europe-docker.pkg.dev/acme/mirror",
        "registry.acme.example/vllm@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ],
)
def test_other_text_is_no_credential(text):
    assert not has_token(text)


@pytest.mark.parametrize(
    "line",
    ["huggingFaceToken: *secretword", "huggingFaceToken: !secretword x", "huggingFaceToken: %secretword", '"secretword" x', "@secretword"],
)
def test_a_file_that_yaml_cannot_read_is_refused_without_its_words(tmp_path, line):
    (tmp_path / "Pulumi.x.yaml").write_text(f"config:\n  vllm-platform:secrets:\n    {line}\n")
    with pytest.raises(StackError) as caught:
        load_stack_file(tmp_path / "Pulumi.x.yaml")
    assert "secretword" not in str(caught.value)
    assert "line 3" in str(caught.value)


def test_a_token_given_twice_as_a_key_is_not_repeated(tmp_path):
    token = TOKENS["GitHub"]
    (tmp_path / "Pulumi.x.yaml").write_text(f"config:\n  {token}: 1\n  {token}: 2\n")
    with pytest.raises(StackError, match="given twice") as caught:
        read_stack_file(tmp_path / "Pulumi.x.yaml")
    assert token not in str(caught.value)


CANARY = "canary-in-a-coal-mine"
KEYS = ["source", "huggingFaceToken", "grafanaAdminPassword", "clientKeys", "hugingFaceToken", "wandbKey"]
# A secret in every shape that YAML gives it, and under every key: as text, encrypted, within lists, mappings, other text.
LEAVES = st.sampled_from(
    [CANARY, f"{CANARY} {HEX_KEY}", f"-----BEGIN PRIVATE KEY-----\n{CANARY}", {"secure": CANARY}, {"x": CANARY}, "x", 7, None]
)
SHAPES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["team-a", "secure", "x"]), inner, max_size=2)
)
SECRETS = st.dictionaries(st.sampled_from(KEYS), SHAPES, max_size=4) | SHAPES


@profile(max_examples=300, suppress_health_check=list(HealthCheck))
@given(SECRETS, st.sampled_from([{}, {"secrets.source": "secret-manager"}, CLIENT]))
def test_no_string_under_secrets_reaches_what_is_printed(tmp_path, monkeypatch, capsys, secrets, changes):
    config = stack(changes)
    config["vllm-platform:secrets"] = secrets | config.get("vllm-platform:secrets", {}) if isinstance(secrets, dict) else secrets
    (tmp_path / "Pulumi.odd.yaml").write_text(json.dumps({"config": config}))
    monkeypatch.setattr("tools.stacks.ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["preview", "odd", "--plan-only"])
    assert preview.main() in (0, 2)
    printed = "".join(capsys.readouterr())
    assert "there is no such stack file" not in printed
    assert CANARY not in re.sub(r"\s+", "", printed)


@pytest.mark.parametrize(
    "secrets",
    [
        {"huggingFaceToken": {"secure": CANARY}, "grafanaAdminPassword": {"secure": CANARY}, "clientKeys": {"team-a": {"secure": CANARY}}},
        {"huggingFaceToken": {"secure": CANARY}, "grafanaAdminPassword": CANARY, "clientKeys": {"team-a": {"secure": CANARY}}},
        {"clientKeys": {"team-a": CANARY}},
    ],
    ids=["encrypted", "one in the clear", "in the clear"],
)
def test_no_string_under_secrets_reaches_a_file(tmp_path, monkeypatch, capsys, secrets):
    """The whole preview, with all that it writes to build/."""
    (tmp_path / "Pulumi.odd.yaml").write_text(json.dumps({"config": stack(CLIENT | {"secrets": secrets})}))
    monkeypatch.setattr("tools.stacks.ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["preview", "odd"])
    written = preview.main() == 0
    assert CANARY not in "".join(capsys.readouterr())
    files = [path for path in (tmp_path / "build").rglob("*") if path.is_file()]
    assert bool(files) is written is (secrets["clientKeys"] == {"team-a": {"secure": CANARY}} and CANARY not in secrets.values())
    assert [path.name for path in files if CANARY in path.read_text()] == []
