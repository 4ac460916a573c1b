"""`make screenshots`, as it is run for the README."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from tests.browser.conftest import previewed
from tools import stacks
from tools.preview import pictures
from tools.preview.report.page import render


def test_the_pictures_are_drawn_from_a_report_and_need_one(browser, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["screenshots", "local", "--folder", str(tmp_path / "images")])
    with ThreadPoolExecutor(1) as thread:  # Playwright runs in this one already
        assert thread.submit(pictures.main).result() == 1
        assert "make preview STACK=local" in capsys.readouterr().err
        (tmp_path / "build" / "local").mkdir(parents=True)
        (tmp_path / "build" / "local" / "report.html").write_text(render(previewed("local")))
        assert thread.submit(pictures.main).result() == 0
    drawn = {path.stem: Image.open(path) for path in (tmp_path / "images").iterdir()}
    assert drawn.keys() == pictures.PICTURES.keys()
    assert all(len(one.getcolors() or ()) > 5 for one in drawn.values()), "not blank"


def test_the_pictures_of_the_repository_are_small():
    files = [pictures.FOLDER / f"{name}.png" for name in pictures.PICTURES]
    assert sum(file.stat().st_size for file in files) < 300_000
