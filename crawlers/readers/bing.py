"""Result pages of Bing."""

from __future__ import annotations

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.serp import Engine, parse_serp, recognised_by

ENGINE = Engine(
    name="Bing",
    hosts=("bing.com",),
    marks="#b_results, #b_content, li.b_algo, #b_captcha",
    results="#b_results > li.b_algo, li.b_algo",
    link="h2 a[href], .b_algoheader a[href], .b_title a[href], a.tilk[href]",
    title="h2, .b_algoheader h2, .b_title h2",
    snippets=(".b_caption p", ".b_lineclamp2", ".b_lineclamp3", ".b_lineclamp4", ".b_paractl", ".b_snippet", "p"),
    adverts=".b_ad, .b_adTop, .b_adBottom, #b_context, .b_ans .b_algo",
    nothing=("there are no results for", "es gibt keine ergebnisse für", "keine ergebnisse für", "no results for"),
    nothing_at="li.b_no, #b_results .b_no",
    challenge="#b_captcha, .captcha, form[action*='captcha'], #turnstile, .cf-turnstile",
    next_page="a.sb_pagN[href]",
)


def parse(page: PageFile) -> Parsed:
    """The organic results of a saved page."""
    return parse_serp(page, ENGINE)


def recognises(look: Look) -> str:
    return recognised_by(look, ENGINE)
