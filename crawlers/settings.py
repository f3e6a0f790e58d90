"""Settings of the Scrapy project: what never changes. What the configuration decides is in ``for_visit``."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from scrapy.settings import Settings

from pipeline.clock import Clock
from pipeline.configuration import Configuration

BOT_NAME = "sturmwarte"
SPIDER_MODULES = ["crawlers.spiders"]
NEWSPIDER_MODULE = "crawlers.spiders"

# Plain asyncio: one event loop for all visits of a process, no Twisted reactor.
TWISTED_REACTOR_ENABLED = False
DOWNLOAD_HANDLERS = {
    "http": "crawlers.handler.GuardedDownloadHandler",
    "https": "crawlers.handler.GuardedDownloadHandler",
    "ftp": None,
    "file": None,
    "data": None,
    "s3": None,
}

# Pace, robots.txt and back-off are kept per host in the state database, for all visits and processes alike
# (middlewares.pacing and .robots); Scrapy's own would count each visit apart and forget between runs.
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY = 0
ROBOTSTXT_OBEY = False
AUTOTHROTTLE_ENABLED = False

DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
    "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
    "crawlers.middlewares.guard.GuardMiddleware": 110,
    "crawlers.middlewares.robots.RobotsMiddleware": 120,
    "crawlers.middlewares.browser.BrowserMiddleware": 530,
    "crawlers.middlewares.tdm.TdmMiddleware": 130,
    "crawlers.middlewares.answers.AnswersMiddleware": 540,
    "crawlers.middlewares.conditional.ConditionalMiddleware": 545,
    # between: retry 550, compression 590, redirect 600
    "crawlers.middlewares.pacing.PacingMiddleware": 850,
}
SPIDER_MIDDLEWARES = {"crawlers.middlewares.following.FollowingMiddleware": 900}
ITEM_PIPELINES = {"crawlers.sink.Sink": 500}
CONCURRENT_ITEMS = 8
"""Scrapy starts so many tasks for each answer. The sink keeps an item waiting only while a batch is on its way."""

DOWNLOAD_MAXSIZE = 5_000_000
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 30
DOWNLOAD_VERIFY_CERTIFICATES = True
REDIRECT_MAX_TIMES = 5
WARN_ON_GENERATOR_RETURN_VALUE = False
"""It reads and parses the source of a callback at each answer; mypy says the same once."""
METAREFRESH_ENABLED = False
RETRY_TIMES = 1
RETRY_HTTP_CODES = [500, 502, 504, 522, 524, 408]
"""429 and 503 mean: not now. They are never asked again within the same visit."""

HTTPCACHE_ENABLED = False
COOKIES_ENABLED = False
HTTPPROXY_ENABLED = False
REFERRER_POLICY = "no-referrer"
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
MEMUSAGE_ENABLED = False
STATS_DUMP = False
LOGSTATS_INTERVAL = 0
LOG_LEVEL = "INFO"
LOG_FORMATTER = "crawlers.logs.NamelessFormatter"
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "de,en;q=0.7",
}
USER_AGENT = "Sturmwarte"
ROBOTS_NAME = "Sturmwarte"
"""The name robots.txt may speak of."""


def user_agent(configuration: Configuration) -> str:
    """Who asks, for whom, and whom to write to: ``Sturmwarte/0.1.0 (Example Ltd; +mailto:x@y.de)``."""
    try:
        number = version("sturmwarte")
    except PackageNotFoundError:
        number = "0"
    contact = configuration.contact
    address = contact if "://" in contact or "@" not in contact else f"mailto:{contact}"
    parts = [part for part in (configuration.organisation, f"+{address}") if part]
    text = f"Sturmwarte/{number} ({'; '.join(parts)})"
    return "".join(char for char in text if char.isprintable()).encode("ascii", "replace").decode()


def for_visit(configuration: Configuration) -> Settings:
    """All settings of one visit. Network time is real time: a scaled clock does not shorten the time limit."""
    settings = Settings()
    settings.setmodule("crawlers.settings", priority="project")
    crawl = configuration.crawl
    settings.update(
        {
            "USER_AGENT": user_agent(configuration),
            "DOWNLOAD_MAXSIZE": crawl.max_bytes,
            "DOWNLOAD_TIMEOUT": crawl.timeout.total_seconds(),
            "BROWSER": crawl.browser,
        },
        priority="cmdline",
    )
    return settings


def clock_seconds(clock: Clock, real: float) -> float:
    """How far a clock advances while ``real`` seconds of the wall clock pass."""
    return real / max(clock.real(1.0), 1e-9)
