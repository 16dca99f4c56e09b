"""The status page as a browser draws it: 400 rows on a phone and at a desk, in light and dark."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from exporter.simulator import Simulator
from exporter.web.application import Options
from tests.browser import Browser, browsing
from tests.programs import PATIENCE
from tests.web.conftest import UNHURRIED, begin

ROWS = 400
PHONE = (390, 844)
TABLET = (820, 1180)
DESK = (1124, 800)
LONG = "reseller-of-mails-for-the-northern-and-the-southern-branches-since-2019"
WIDE = "123456789012.3456"

# Everything with a text of its own, where it is drawn: in a line of its card, and in which colours.
ROWS_SEEN = (
    "[...document.querySelectorAll('tbody tr')].map(row => row.innerText.replace(/\\s+/g, ' ').trim())"
)
# Where each text is drawn, and in which colours; of the rows those at both ends, since the others are all alike.
MEASURE = """
(() => {
  const rows = [...document.querySelectorAll("tbody tr")];
  const alike = new Set(rows.slice(20, -10));
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = rgb(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const contrast = element => {
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const within = node.parentElement;
    if (!node.data.trim() || within.closest("style, select") || alike.has(within.closest("tr"))) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()];
    if (!boxes.length) continue;
    const card = within.closest("tr")?.getBoundingClientRect();
    texts.push({
      text: node.data.trim(), number: !!within.closest(".balance"),
      left: Math.min(...boxes.map(box => box.left)), right: Math.max(...boxes.map(box => box.right)),
      lines: new Set(boxes.map(box => Math.round(box.top))).size, contrast: contrast(within),
      in_card: !card || boxes.every(box => box.left >= card.left - 1 && box.right <= card.right + 1
        && box.top >= card.top - 1 && box.bottom <= card.bottom + 1),
    });
  }
  return JSON.stringify({
    width: document.documentElement.scrollWidth, seen: innerWidth,
    ground: rgb(getComputedStyle(document.body).backgroundColor), texts,
    rows: rows.length,
    named: [...document.querySelectorAll("td[data-name]")].filter(
      cell => getComputedStyle(cell, "::before").content.includes(cell.dataset.name)).length,
  });
})()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the page of 400 rows: most with a balance of many digits, some with the provider that is gone."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("NO_PROXY", "127.0.0.1")
        simulator = stack.enter_context(Simulator())
        simulator.wallet("apimall").balance = WIDE
        simulator.wallet("coldmailreseller").balance = "1818.4832025885582"
        levels = "thresholds: {info: 987654321098.25, warning: 2000, critical: 1000}"
        base_url = simulator.base_url("apimall")
        names = [LONG, *(f"mall-{number}" for number in range(ROWS - 8))]
        more = "".join(
            f"  - {{name: {name}, provider: apimall, base_url: '{base_url}', min_interval: 0s,"
            f" api_key: {simulator.keys['apimall']}, {levels}}}\n"
            for name in names
        )
        file = folder / "prepaid.yml"
        file.write_text(f"{UNHURRIED}{simulator.configuration()}{more}")
        exporter = begin(stack, simulator, file, Options(scrape_timeout=PATIENCE))
        exporter.ask("/metrics")
        simulator.kill("smspubli")
        exporter.ask("/metrics?account=sms")
        yield f"http://127.0.0.1:{exporter.port}/"


@pytest.fixture(scope="module")
def browser(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tool("chromium"), tmp_path_factory.mktemp("browser")) as running:
        yield running


def measured(browser: Browser) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(browser.tell(MEASURE))
    return found


@pytest.mark.parametrize("window", [PHONE, TABLET, DESK], ids=["phone", "tablet", "desk"])
def test_nothing_is_cut_and_everything_can_be_read_in_light_and_dark(
    site: str, browser: Browser, window: tuple[int, int]
) -> None:
    browser.window(*window, scheme="light", phone=window == PHONE)
    browser.open(site)
    light = measured(browser)
    browser.window(*window, scheme="dark", phone=window == PHONE)
    dark = measured(browser)
    assert sum(light["ground"]) > 3 * 192
    assert sum(dark["ground"]) < 3 * 64
    for page in (light, dark):
        assert (page["width"], page["seen"], page["rows"]) == (window[0], window[0], ROWS)
        texts = page["texts"]
        assert [one for one in texts if one["left"] < 0 or one["right"] > window[0]] == []
        assert [one for one in texts if not one["in_card"]] == []
        # The contrast that WCAG 2 asks for at its level AA.
        assert {one["text"]: one["contrast"] for one in texts if one["contrast"] < 4.5} == {}
        numbers = {one["text"]: one["lines"] for one in texts if one["number"]}
        assert {"123,456,789,012.34", "1,818.48", "-7.5"} <= numbers.keys()
        assert set(numbers.values()) == {1}, "no number is broken"


def test_a_card_has_a_name_beside_each_value_the_thresholds_too(site: str, browser: Browser) -> None:
    browser.window(*PHONE, scheme="light", phone=True)
    browser.open(f"{site}?account={LONG}")
    page = measured(browser)
    assert (page["named"], page["width"]) == (5, PHONE[0])
    (card,) = browser.tell(ROWS_SEEN)
    assert card.startswith(f"info {LONG} API Mall ")
    assert "123,456,789,012.34 CREDITS" in card
    assert "info 987,654,321,098.25 warning 2,000 critical 1,000" in card


def test_of_400_rows_the_wanted_ones_are_found_by_state_and_by_name(site: str, browser: Browser) -> None:
    browser.window(*PHONE, scheme="light", phone=True)
    browser.open(site)
    states = [row.split()[0] for row in browser.tell(ROWS_SEEN)]
    assert states[:4] == ["down", "critical", "warning", "info"], "the most urgent ones stand first"
    browser.follow("document.querySelector('p a.down').click()")
    assert [row.split()[:2] for row in browser.tell(ROWS_SEEN)] == [["down", "sms"]]
    browser.follow("document.querySelector('form a').click()")
    assert len(browser.tell(ROWS_SEEN)) == ROWS
    chosen = "document.forms[0].search.value = 'MALL-39'; document.forms[0].state.value = 'info';"
    browser.follow(f"{chosen} document.querySelector('button').click()")
    names = [row.split()[1] for row in browser.tell(ROWS_SEEN)]
    assert names == ["mall-39", "mall-390", "mall-391"]
    assert browser.tell("document.forms[0].search.value + document.forms[0].state.value") == "MALL-39info"


def test_a_row_leads_to_the_trace_of_its_account(site: str, browser: Browser) -> None:
    browser.window(*PHONE, scheme="dark", phone=True)
    browser.open(f"{site}?search={LONG}")
    browser.follow("[...document.links].find(link => link.textContent === 'debug').click()")
    assert browser.tell("document.body.innerText").startswith(f"account   {LONG}\n")
