"""What a reviewer sees of a report, at any width, in light and dark, by keyboard and on paper."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe

from config.errors import Problem
from planning.startup import FIXED_SECONDS
from policy.rules import Violation
from tests.browser.conftest import changed_by, previewed
from tests.program.conftest import STACKS
from tools.preview.offline import Resource

WIDTHS = (360, 700, 1000, 1400)
PULL_REQUEST = "a pool of another GPU with its budget"
HOSTILE = "</script><script>hit = 1</script><img src=x onerror=hit=1>\" onfocus=hit=1 '{{ 7 * 7 }}"
# What a reviewer must find, whatever the medium.
SECTIONS = ("verdict", "changes", "way", "fit", "cost", "start-up", "rollout", "security", "resources")


@pytest.mark.parametrize("stack", STACKS)
def test_a_report_loads_without_complaint_and_asks_for_nothing_but_itself(open_report, stack):
    report = open_report(stack)
    assert report.complaints == []
    assert report.requests == [report.page.url]
    assert report.page.title().startswith(f"{stack}: ")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("stack", [*STACKS, "generated-50"])
def test_no_width_needs_scrolling_sideways(open_report, stack, width):
    report = open_report(stack, viewport={"width": width, "height": 800})
    assert report.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", WIDTHS)
def test_what_changes_fits_any_width_too(open_report, width):
    report = open_report(changed_by(PULL_REQUEST), viewport={"width": width, "height": 800})
    assert report.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*STACKS, PULL_REQUEST])
def test_axe_finds_nothing_to_object_to(open_report, name, scheme):
    page = open_report(name if name in STACKS else changed_by(name), color_scheme=scheme).page
    page.locator("#resources ~ .group details").first.click()
    found = Axe().run(page)
    assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found.response["violations"]] == []


def _colours(page, selector):
    read = "element => { const style = getComputedStyle(element); return [style.backgroundColor, style.color, style.fill] }"
    return page.locator(selector).first.evaluate(read)


def _brightness(colour):
    return sum(map(int, colour[4:-1].split(",")))


def test_dark_mode_is_dark_with_light_text_and_bars_of_other_colours(open_report):
    light, dark = (open_report("prod", color_scheme=scheme).page for scheme in ("light", "dark"))
    for selector in ("body", "section", "pre"):
        ground, ink, _ = _colours(dark, selector)
        assert _brightness(ground) < 200 < 550 < _brightness(ink)
        ground, ink, _ = _colours(light, selector)
        assert _brightness(ink) < 200 < 550 < _brightness(ground)
    for part in ("first", "second", "third", "rest"):
        assert _colours(light, f"rect.{part}")[2] != _colours(dark, f"rect.{part}")[2]


def test_the_keyboard_reaches_content_search_and_manifests(open_report):
    page = open_report("dev").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "search":
            break
    page.keyboard.type("DEPLOYMENT qwen3-8b-floor replicas")
    shown = page.locator(".group li:visible")
    assert shown.count() >= 1
    assert page.locator("#found").text_content() == f"{shown.count()} of {len(previewed('dev').recording.resources)}"
    assert all("Deployment" in text and "qwen3-8b-floor" in text for text in shown.all_text_contents())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert "apiVersion: " in page.locator("pre:visible").inner_text()


def test_a_search_without_an_answer_says_so_and_an_empty_one_shows_all(open_report):
    page, total = open_report("local").page, len(previewed("local").recording.resources)
    page.locator("#search").fill("there is no such thing")
    assert page.locator("#found").text_content() == f"0 of {total}"
    assert page.locator(".group:visible").count() == 0
    page.locator("#search").fill("")
    assert page.locator(".group li:visible").count() == total


def test_paper_has_all_sections_and_bars_and_nothing_to_click(open_report):
    page = open_report(changed_by(PULL_REQUEST), color_scheme="dark").page
    page.emulate_media(media="print")
    for hidden in ("nav", ".skip", ".search"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("section[aria-labelledby]").count() == len(SECTIONS)
    for section in SECTIONS:
        assert page.locator(f"#{section}").is_visible()
    for shown in ("svg.bar", "table", ".figures", "caption"):
        assert all(one.is_visible() for one in page.locator(shown).all())
    ground, ink, _ = _colours(page, "section")
    assert (_brightness(ground), _brightness(ink)) == (765, 0)
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("stack", STACKS)
def test_every_recorded_resource_is_on_the_page(open_report, stack):
    report = open_report(stack)
    shown = report.page.locator(".group li").evaluate_all(
        "all => all.map(one => one.firstElementChild.innerText.split(/\\s+/).slice(0, 2))"
    )
    recorded = [(one.type.rpartition(":")[2], one.name) for one in report.previewed.recording.resources]
    assert Counter(map(tuple, shown)) == Counter(recorded)


@pytest.mark.parametrize("stack", STACKS)
def test_the_bars_of_memory_are_as_long_as_the_plan_says_and_their_figures_add_up_to_the_device(open_report, stack):
    report = open_report(stack)
    rows = report.page.locator("section[aria-labelledby=fit] .row").all()
    for row, model in zip(rows, report.previewed.plan.deployed.values(), strict=True):
        memory = model.memory
        reserve = memory.cuda_graphs + memory.non_torch + memory.adapters
        taken = [memory.weights, memory.kv_cache, memory.activation, reserve]
        planned = [*taken, memory.device - sum(taken)]
        assert _lengths(row) == pytest.approx([100 * one / memory.device for one in planned if one > 0], abs=0.2)
        figures = [float(text.removesuffix(" GiB")) for text in row.locator(".figures b").all_text_contents()]
        assert figures == pytest.approx(planned, abs=0.26)
        assert sum(figures) == pytest.approx(round(memory.device, 1))


@pytest.mark.parametrize("stack", STACKS)
def test_the_bars_of_starts_are_on_one_scale_that_the_slowest_fills(open_report, stack):
    report = open_report(stack)
    starts = [one.startup for one in report.previewed.plan.deployed.values()]
    slowest = max(one.node + one.image + one.download + FIXED_SECONDS + one.load + one.compile for one in starts)
    rows = report.page.locator("section[aria-labelledby=start-up] .row").all()
    for row, one in zip(rows, starts, strict=True):
        assert sum(_lengths(row)) == pytest.approx(100 * one.expected / slowest, abs=0.2)


@pytest.mark.parametrize("stack", STACKS)
def test_the_bars_of_money_are_as_long_as_the_plans_dollars(open_report, stack):
    report = open_report(stack)
    total, budget = report.previewed.plan.cost.total, report.previewed.settings.budget.monthly_usd
    planned = [total.floor, total.expected, total.ceiling, *([budget] if budget else [])]
    rows = report.page.locator("section[aria-labelledby=cost] .row").all()
    for row, usd in zip(rows, planned, strict=True):
        assert sum(_lengths(row)) == pytest.approx(100 * usd / max(planned) if max(planned) else 0, abs=0.2)
        assert row.locator("b").first.text_content() == f"${usd:,.0f}"


def _lengths(row):
    """Of the parts of its bar as they are drawn, in percent of the whole."""
    return row.locator("svg.bar").evaluate(
        "svg => [...svg.querySelectorAll('rect')].map(part => 100 * part.getBBox().width / svg.viewBox.baseVal.width)"
    )


def test_hostile_names_are_text(open_report):
    before = previewed("local")
    resource = Resource("urn", "kubernetes:v1:ConfigMap", HOSTILE, HOSTILE, True, {"kind": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}})
    problem = Problem(HOSTILE, HOSTILE, HOSTILE)
    model = before.plan.models["qwen3-0-6b"]
    hostile = replace(
        before,
        stack=HOSTILE,
        plan=replace(before.plan, warnings=(problem,), models={HOSTILE: replace(model, served_names=(HOSTILE,))}),
        recording=replace(before.recording, resources=[*before.recording.resources, resource]),
        violations=[Violation("pinned-images", "mandatory", HOSTILE, HOSTILE, HOSTILE)],
        local=[problem],
    )
    report = open_report(hostile)
    assert report.page.evaluate("typeof hit") == "undefined"
    assert report.complaints == []
    assert report.page.locator("img, script").count() == 1, "the page's own script"
    assert report.page.locator("h1").text_content() == HOSTILE


def test_no_value_of_a_secret_is_in_the_page(open_report):
    """The offline preview holds a mark of its own in place of each secret, which reaches the page as little as a value would."""
    report = open_report("prod")
    assert "[secret:" in repr(report.previewed.recording)
    html = report.page.content()
    assert "[secret:" not in html
    assert "[secret]" in html
