"""Result pages of Google."""

from __future__ import annotations

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.serp import Engine, parse_serp, recognised_by

ENGINE = Engine(
    name="Google",
    hosts=("google.com", "google"),
    marks="#rso, #topstuff, form#captcha-form, #gsr, body.srp, #rcnt, #result-stats,"
    " meta[itemprop=name][content*=Google],"
    " noscript meta[http-equiv=refresh][content*='enablejs']",
    results="#rso a:has(h3), #search a:has(h3), #main a:has(h3), .g a:has(h3), div.ZINbbc a:has(h3)",
    link="",
    title="h3",
    snippets=(".VwiC3b", "[data-sncf='1']", ".lEBKkf", ".IsZvec", ".st", ".s3v9rd", ".kCrYT + .x54gtf + *"),
    adverts="#tads, #tadsb, #bottomads, .uEierd, .related-question-pair, [data-text-ad],"
    " .commercial-unit-desktop-top,"
    " g-scrolling-carousel, .kp-blk",
    nothing=(
        "did not match any documents",
        "es wurden keine mit deiner suchanfrage",
        "keine ergebnisse gefunden",
        "stimmt mit keinem dokument überein",
        "no results found for",
        "es wurden keine ergebnisse",
    ),
    nothing_at="#topstuff .mnr-c .card-section, #topstuff .v3jTId, .mnr-c [role=heading] + p",
    challenge="form#captcha-form, #recaptcha, .g-recaptcha, form[action*='sorry'], form[action*='consent.google']",
    next_page="a#pnext[href]",
    around="g tF2Cxc MjjYud ZINbbc hlcw0c",
)


def parse(page: PageFile) -> Parsed:
    """The organic results of a saved page."""
    return parse_serp(page, ENGINE)


def recognises(look: Look) -> str:
    return recognised_by(look, ENGINE)
