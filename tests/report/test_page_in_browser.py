"""The page in a real browser: what it shows, what it does, and what it must never do."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from competition.report import plots
from competition.report.rendering import TEMPLATES
from tests.report.made_ads import PICTURE, SCRIPT, TAGS


class Opened:
    """A page with all that went wrong on it."""

    def __init__(self, browser: Any, path: Path, **how: Any) -> None:
        self.context = browser.new_context(**how)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def texts(self, selector: str) -> list[str]:
        return self.page.eval_on_selector_all(
            selector, "all => all.filter(e => e.offsetParent).map(e => e.textContent.trim())"
        )


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Opened]:
    one = Opened(browser, page_file, viewport={"width": 1280, "height": 900})
    yield one
    assert one.wrong == []
    one.context.close()


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "").replace("−", "-")) for text in texts]


def test_nothing_from_the_data_runs_and_no_request_leaves_the_page(opened: Opened) -> None:
    page = opened.page
    page.wait_for_timeout(200)
    assert page.evaluate("window.hit === undefined")
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.querySelectorAll('main b b, main i, [onerror]').length") == 0
    kinds = {url.split(":")[0] for url in opened.requests}
    assert kinds <= {"file", "data"}
    assert [url for url in opened.requests if url.startswith("file")] == [page.url]


def test_hostile_words_are_shown_as_they_are(opened: Opened) -> None:
    words = opened.page.inner_text("body")
    assert TAGS[0] in words
    assert TAGS[1] in words
    assert "<i>topic</i>" in words
    assert "ad</script><b>" in words
    assert opened.page.get_attribute("img[alt*='ad</script>']", "alt")
    texts = opened.page.eval_on_selector_all(".text", "all => all.map(e => e.textContent)")
    assert any(SCRIPT in text for text in texts)
    assert PICTURE not in opened.page.content()  # a file's name is shown where it cannot be read


def test_a_script_that_slips_through_would_be_refused(opened: Opened) -> None:
    refused = opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hit = 3";
            document.body.append(script);
            return window.hit === undefined;
        }"""
    )
    assert refused
    assert any("Content Security Policy" in text for text in opened.wrong)
    opened.wrong.clear()


def test_headings_sort_the_leaderboard(opened: Opened) -> None:
    column = "#models tbody td:nth-child(5)"
    heading = opened.page.locator("#models th", has_text="mAP").locator("button")
    heading.click()
    known = [text for text in opened.texts(column) if text != "–"]
    assert len(known) >= 3
    assert numbers(known) == sorted(numbers(known), reverse=True)
    heading.press("Enter")  # by the keyboard, and the other way round
    known = [text for text in opened.texts(column) if text != "–"]
    assert numbers(known) == sorted(numbers(known))
    assert opened.page.locator("#models th[aria-sort='ascending']").inner_text().startswith("mAP")


def test_search_leaves_the_tags_that_have_the_words(opened: Opened) -> None:
    opened.page.fill("#tag-search", "惊喜")
    assert opened.texts("#tag-table tbody th") == [TAGS[4]]
    assert opened.texts("#tag-count") == [f"1 of {len(TAGS)}"]
    opened.page.fill("#tag-search", "")
    assert len(opened.texts("#tag-table tbody th")) == len(TAGS)


def test_ads_are_ordered_and_filtered(opened: Opened) -> None:
    page = opened.page
    first = opened.texts(".ad h3")
    assert len(first) == 24
    page.locator("#ad-tools label", has_text="Random").click()
    lot = opened.texts(".ad h3")
    assert lot != first
    page.select_option("[name=fold]", "1")
    assert set(opened.texts(".ad .where")) <= {
        text for text in opened.texts(".ad .where") if text.startswith("fold 1")
    }
    page.select_option("[name=fold]", "")
    page.select_option("[name=tag]", label="plain")
    found = page.eval_on_selector_all(
        ".ad:not([hidden])", "all => all.map(e => e.textContent.includes('plain'))"
    )
    assert found
    assert all(found)
    page.select_option("[name=tag]", "")
    page.select_option("[name=lacks]", label="poster")
    assert "ad</script><b>" not in opened.texts(".ad h3")
    page.select_option("[name=lacks]", "")
    page.click("#more")
    assert len(opened.texts(".ad h3")) == 48


def test_without_javascript_every_ad_and_tag_is_there(browser: Any, page_file: Path) -> None:
    plain = Opened(browser, page_file, java_script_enabled=False)
    assert plain.page.locator(".ad:visible").count() == 60
    assert plain.page.locator("#tag-table tbody tr:visible").count() == len(TAGS)
    assert plain.page.locator("#ad-tools").is_hidden()
    plain.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_the_window(browser: Any, page_file: Path, width: int) -> None:
    one = Opened(browser, page_file, viewport={"width": width, "height": 800})
    assert one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    one.context.close()


def test_rows_with_a_fixed_column_are_whole_pixels_high(opened: Opened) -> None:
    """Else the fixed cell's background covers the line of the row above."""
    heights = opened.page.eval_on_selector_all(
        "table:has(.stick) tbody tr", "all => all.map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) > 10
    assert {height % 1 for height in heights} == {0}


def test_headings_come_in_order_and_pictures_have_words(opened: Opened) -> None:
    levels = opened.page.eval_on_selector_all(
        "h1, h2, h3, h4, h5", "all => all.map(e => Number(e.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - level <= 1 for level, later in pairwise(levels))
    silent = "img:not([alt]), img[alt=''], svg[role=img]:not([aria-label])"
    assert opened.page.locator(silent).count() == 0
    assert opened.page.locator("select:not(label select), input:not(label input)").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_that_wcag_aa_asks_for(
    browser: Any, page_file: Path, scheme: str
) -> None:
    one = Opened(browser, page_file, color_scheme=scheme)
    found = one.page.eval_on_selector_all(
        "body *",
        """all => {
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 1;
            const draw = canvas.getContext("2d", { willReadFrequently: true });
            const light = (colours) => {
                draw.clearRect(0, 0, 1, 1);
                for (draw.fillStyle of colours) draw.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...draw.getImageData(0, 0, 1, 1).data].map((v) => {
                    v /= 255;
                    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const seen = (e) => e.getClientRects().length && !e.matches(".cell, option");
            const text = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
            const ratio = (e, colour) => {
                const behind = [];
                for (let at = e; at; at = at.parentElement) {
                    behind.unshift(getComputedStyle(at).backgroundColor);
                }
                const [a, b] = [light(behind), light([...behind, colour])];
                const found = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                return [found, `${e.tagName}.${e.getAttribute("class")}`];
            };
            const colour = (e) => getComputedStyle(e)[e.closest("svg") ? "fill" : "color"];
            const texts = all.filter((e) => seen(e) && text(e));
            const boxes = all.filter((e) => e.placeholder);
            return [
                ...texts.map((e) => ratio(e, colour(e))),
                ...boxes.map((e) => ratio(e, getComputedStyle(e, "::placeholder").color)),
            ];
        }""",
    )
    kinds = {name.split(".")[0] for _, name in found}
    assert kinds >= {"A", "BUTTON", "INPUT", "P", "SUMMARY", "TD", "TH", "text"}
    assert min(found)[0] >= 4.5, min(found)
    one.context.close()


def test_ranks_stand_to_the_left_of_names_in_any_script(opened: Opened) -> None:
    gaps = opened.page.eval_on_selector_all(
        ".ad:not([hidden]) .scores tbody th",
        """all => all.map(e => {
            const rank = document.createRange(), name = e.querySelector("bdi");
            rank.selectNodeContents(e.querySelector(".rank"));
            const [a, b] = [rank.getBoundingClientRect(), name.getBoundingClientRect()];
            const level = Math.abs(a.top - name.getClientRects()[0].top);
            return [b.left - a.right, level, name.textContent];
        })""",
    )
    assert {name for _, _, name in gaps} >= {TAGS[3], TAGS[5]}
    assert min(gap for gap, _, _ in gaps) > 2
    assert max(level for _, level, _ in gaps) < 6


def test_names_fit_beside_the_bars_that_they_belong_to(browser: Any) -> None:
    names = ["spam", "WWWW MMMM", "SHOCKING NEWS %%%%", "m" * 40, "ilil", "惊喜" * 20, "مفاجأة"]
    context = browser.new_context()
    page = context.new_page()
    style = (TEMPLATES / "page.css").read_text("utf-8")
    for name in names:
        drawing = plots.gain_bars([(name, 0.1, 3)], "a drawing")
        page.set_content(f"<style>{style}</style>{drawing}")
        name_begins, drawing_begins = (
            page.locator(one).bounding_box()["x"] for one in ("text.end", "svg.plot")
        )
        assert name_begins >= drawing_begins, name
    context.close()


def test_an_address_that_names_an_ad_shows_it(browser: Any, page_file: Path) -> None:
    one = Opened(browser, page_file)
    hidden = one.page.locator(".ad[hidden]").last
    place, name = hidden.get_attribute("id"), hidden.locator("h3").text_content()
    one.page.goto(f"{page_file.as_uri()}#{place}")
    one.page.reload()
    one.page.locator(f"#{place}").wait_for(state="visible", timeout=5_000)
    assert name in one.texts(".ad h3")
    one.context.close()


def test_likely_label_errors_lead_to_their_ads_and_to_a_csv(opened: Opened) -> None:
    page = opened.page
    link = page.locator("#doubt-table tbody a").last
    ad = link.inner_text()
    link.click()
    place = page.evaluate("location.hash")
    page.locator(place).wait_for(state="visible", timeout=5_000)
    assert page.locator(f"{place} h3").text_content() == ad
    with page.expect_download() as downloading:
        page.click("a[download]")
    text = Path(downloading.value.path()).read_text("utf-8")
    assert text.startswith("rank,id,tag,dimension,given,probability,score,confident\n")
    assert text.count("\n") > 10
