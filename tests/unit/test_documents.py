"""How commands are read out of README and docs/, for tests/program/test_commands.py."""

from tests.documents import PAGES, Command, commands


def test_commands_are_read_with_their_variables_comments_and_pipes(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nA_B=1 pulumi up   # this once\nkubectl -n <the namespace> logs x | grep 'a | b' &\nmake x \\\n  Y=\"1 2\"\n```\n"
        "```\n$ make z\noutput\n```\n```yaml\nmake: no\n```\n| task | `make table STACK=dev` |\n"
    )
    monkeypatch.setitem(PAGES, "page", page)
    assert [(one.words, one.environment) for one in commands("page")] == [
        (("pulumi", "up"), ("A_B=1",)),
        (("kubectl", "-n", "<the-namespace>", "logs", "x"), ()),
        (("grep", "a | b"), ()),
        (("make", "x", "Y=1 2"), ()),
        (("make", "z"), ()),
        (("make", "table", "STACK=dev"), ()),
    ]
    assert isinstance(commands("page")[0], Command)


def test_there_are_commands_on_most_pages():
    assert sum(bool(commands(page)) for page in PAGES) > 60
