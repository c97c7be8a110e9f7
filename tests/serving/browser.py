"""The page in a browser: Chromium without a screen, driven as a person with a keyboard would."""

import base64
import contextlib
import shutil
import tempfile

import pytest

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,900",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900), (390, 844)


@contextlib.contextmanager
def started():
    """A browser of its own, with an empty profile; skips the test where there is none."""
    pytest.importorskip("selenium")
    from selenium import webdriver

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("chromium or chromedriver is not here")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            yield browser
        finally:
            browser.quit()


class Page:
    """The page of a server.

    Args:
        browser: what `started` gives.
        port: the server's, on this machine.
    """

    def __init__(self, browser, port):
        self.browser = browser
        self.address = f"http://127.0.0.1:{port}/"

    def open(self, model=""):
        """Loads the page anew, and waits for its form."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}#{model}")
        self.until("document.querySelector('#fields label')")

    def type(self, **values):
        """Types into fields, over what is there."""
        for name, value in values.items():
            field = self.one(f"#field-{name}")
            field.clear()
            field.send_keys(value)

    def ask(self, *keys):
        """Presses Control and Enter, or what is given, and waits for the whole answer."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        if keys:
            self.browser.switch_to.active_element.send_keys(*keys)
        else:
            hold = ActionChains(self.browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER)
            hold.key_up(Keys.CONTROL).perform()
        self.wait()

    def wait(self):
        """Waits until nothing is being answered."""
        self.until("document.querySelector('#answer[aria-busy=false]')")

    def one(self, selector):
        """The element that a CSS selector finds first."""
        return self.browser.find_element("css selector", selector)

    def texts(self, selector):
        """The texts of all elements that a CSS selector finds, folded ones included."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return self.browser.execute_script(script, selector)

    def run(self, script, *arguments):
        """What a line of JavaScript returns."""
        return self.browser.execute_script(f"return {script}", *arguments)

    def complaints(self):
        """What the browser has to say: errors, and whatever the security policy forbade."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def resize(self, size, *, dark=False):
        """Takes the size of a screen, and its colours."""
        width, height = size
        command = self.browser.execute_cdp_cmd
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        command("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        command("Emulation.setEmulatedMedia", {"features": [scheme]})

    def picture(self, path):
        """Writes the whole page as a PNG file."""
        found = self.browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True}
        )
        path.write_bytes(base64.b64decode(found["data"]))

    def until(self, script):
        """Waits until an expression of JavaScript is true."""
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(self.browser, 60, poll_frequency=0.05)
        wait.until(lambda _: self.run(script))
