"""The pages in a real Chromium, with and without JavaScript, wide and as a phone shows them."""

import threading
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from servers import answers, free_port, needs, wait_for
from webhouse import NOW, configuration, fill

from alerts.incidents import get_incident
from dashboards.app import create
from dashboards.serve import server
from pipeline.clock import ManualClock
from pipeline.state.opening import open_state

pytestmark = pytest.mark.browser
PAGES = ("/", "/mentions?q=tone:negative", "/incidents", "/incidents/R-0001", "/sources", "/sources/forum-a")


@pytest.fixture
def house(tmp_path) -> Iterator[str]:
    """A running server over a small house; its data folder is ``tmp_path``."""
    fill(tmp_path)
    port, told = free_port(), configuration()
    running = server(create(lambda: told, tmp_path, ManualClock(NOW)), "127.0.0.1", port)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: answers(f"{url}/healthz"), "the pages", 120)
    yield url
    running.should_exit = True
    thread.join(60)


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def browser(request, tmp_path) -> Iterator[webdriver.Chrome]:
    chromium, driver = needs("chromium", "chromium"), needs("chromedriver", "chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--lang=de",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option(
        "prefs", {"profile.managed_default_content_settings.javascript": 1 if request.param else 2}
    )
    with webdriver.Chrome(options=options, service=Service(driver)) as opened:
        yield opened


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser refused or could not load."""
    return [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]]


def test_every_page_shows_without_a_complaint_and_fits_a_phone(house, browser):
    for page in PAGES:
        browser.set_window_size(1360, 1000)
        browser.get(f"{house}{page}")
        assert browser.find_element(By.TAG_NAME, "h1").text
        browser.set_window_size(500, 900)
        wide, shown = (
            browser.find_element(By.TAG_NAME, "html").get_property(p) for p in ("scrollWidth", "clientWidth")
        )
        assert wide <= shown, f"{page} is wider than a phone's screen"
    assert complaints(browser) == []


def test_the_chart_is_drawn_and_told_in_words(house, browser):
    browser.get(house)
    [chart, *_] = browser.find_elements(By.CSS_SELECTOR, "picture img")
    browser.set_window_size(1360, 1000)
    wait_for(lambda: chart.get_property("complete") and chart.get_property("naturalWidth") > 0, "the chart")
    assert chart.size["width"] > 600 and chart.size["height"] > 100
    assert len(chart.get_attribute("alt")) > 40
    assert complaints(browser) == []


def test_opening_the_link_of_a_mail_changes_nothing_and_two_clicks_take_the_incident_on(house, browser, tmp_path):
    browser.get(f"{house}/incidents/R-0001?action=acknowledge")

    def acknowledged_by():
        state = open_state(tmp_path)
        with state.read() as connection:
            name = get_incident(connection, 1).acknowledged_by
        state.close()
        return name

    assert acknowledged_by() is None
    form = browser.find_element(By.CSS_SELECTOR, "form[action*=acknowledge]")
    form.find_element(By.NAME, "by").clear()
    form.find_element(By.NAME, "by").send_keys("M. Kern")
    form.find_element(By.CSS_SELECTOR, "button").click()
    wait_for(lambda: acknowledged_by() == "M. Kern", "the acknowledgement", 120)
    assert complaints(browser) == []
