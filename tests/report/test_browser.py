"""The page in a real browser: it fits the screen, follows the theme, sorts, and loads nothing.

Chromium or Chrome must be installed (`apt-get install chromium`).
"""

import html
import json
import os
import re
import shutil
import subprocess

import pytest

from tests.report.pages import write_run
from yt8m.report.write import report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium or google-chrome is installed")
PROBE = """
const failures = [];
addEventListener("error", (event) => failures.push(event.message));
addEventListener("load", () => {
  const style = (element) => getComputedStyle(element);
  const table = document.querySelector("#part-3 ~ .pair table");
  const column = (i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
  const click = (i) => {
    const head = table.tHead.rows[0].cells[i];
    head.querySelector("button").click();
    return [head.getAttribute("aria-sort"), column(i)];
  };
  const sorted = [click(1), click(1), click(0)];
  const point = document.querySelector("figure circle[data-tip]");
  point.dispatchEvent(new Event("pointerover", { bubbles: true }));
  const tip = document.querySelector("#tip"), shown = !tip.hidden && tip.textContent;
  document.body.dispatchEvent(new Event("pointerover", { bubbles: true }));
  const wide = [...document.querySelectorAll("body *")].filter(
    (e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, svg"));
  const colors = ["body", ".quiet", "nav a", "thead th", ".legend li"].map(
    (at) => [at, style(document.querySelector(at)).color]);
  const letters = [...document.querySelectorAll("figure svg text")].map(
    (t) => (parseFloat(style(t).fontSize) * t.ownerSVGElement.clientWidth) / 480);
  parent.postMessage(JSON.stringify({
    width: innerWidth, content: document.documentElement.scrollWidth, sorted, colors,
    wide: wide.map((e) => e.outerHTML.slice(0, 80)),
    tip: [shown, point.getAttribute("data-tip"), tip.hidden],
    paper: style(document.body).backgroundColor,
    loaded: performance.getEntriesByType("resource").length,
    letters: Math.min(...letters), failures,
  }), "*");
});
"""

# The window of a browser without a screen is at least 500 wide; a frame can be as narrow as phones.
FRAME = """
<!doctype html><meta name="color-scheme" content="light dark"><body><script>
addEventListener("message", (event) => { document.body.dataset.found = event.data; });
</script><iframe src="page.html" width="{width}" height="900" style="border: 0"></iframe>
"""


def seen(tmp_path, text, width, dark):
    """Open a page, and return what the probe finds."""
    probed = text.replace("<head>", f"<head><script>{PROBE}</script>")
    (tmp_path / "page.html").write_text(probed)
    (tmp_path / "frame.html").write_text(FRAME.replace("{width}", str(width)))
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path}/chrome",
        "--window-size=1400,950",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=2000",
        "--dump-dom",
        (tmp_path / "frame.html").as_uri(),
    ]
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=home
    )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr
    return json.loads(html.unescape(found[1]))


def luminance(color):
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(a, b):
    """Return the contrast ratio of WCAG 2."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_page_in_a_browser(tmp_path, width, dark):
    run = write_run(tmp_path / "run", num_classes=200)
    found = seen(tmp_path, report([run]), width, dark)
    assert not found["failures"]
    assert found["loaded"] == 0
    assert (found["width"], found["content"]) == (width, width)
    assert not found["wide"]
    assert (luminance(found["paper"]) < 0.1) == dark
    for place, color in found["colors"]:
        assert contrast(color, found["paper"]) > 4.5, place
    assert found["letters"] > 9.5  # pixels
    down, up, names = found["sorted"]
    counts = sorted((int(n.replace(",", "")) for n in down[1]), reverse=True)
    assert [int(n.replace(",", "")) for n in down[1]] == counts
    assert [int(n.replace(",", "")) for n in up[1]] == counts[::-1]
    assert (down[0], up[0]) == ("descending", "ascending")
    assert names == ["ascending", sorted(names[1], key=lambda name: int(name.split()[1]))]
    shown, expected, hidden = found["tip"]
    assert shown == expected
    assert hidden
