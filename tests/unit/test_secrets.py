"""What stands where a secret belongs is never repeated, and credentials are known wherever they stand."""

import pytest

from config.errors import StackError
from config.stack_config import load_stack_file, read_stack_file
from config.tokens import has_token
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_secrets import MANAGER, SECRET, TOKENS, WRONG


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
