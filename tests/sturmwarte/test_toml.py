"""Configuration files: every mistake is a finding with its line; no file ever crashes the loader."""

from __future__ import annotations

import random
import textwrap
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from pipeline.i18n import Speech
from pipeline.toml import ConfigurationError, Finding, Registry, examine, load
from pipeline.toml_lines import line_index, line_of


class FeedOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    full_text: bool = True
    depth: Literal["shallow", "deep"] = "shallow"
    token_file: Path | None = None


class SurgeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    min_persons: int = 5


class MailOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")


REGISTRY = Registry({"feed": FeedOptions, "phpbb": MailOptions}, {"surge": SurgeOptions}, {"email": MailOptions})
ENGLISH = Speech("en", ZoneInfo("UTC"))

GOOD = """\
contact = "pr@example.org"  # who may be asked
public_url = "https://watch.example.org"
data = "store"

[brands.lodestar]
name = "Lodestar"
names = [
  "Lode Star",   # with a space
  'Lode-Star',
]

[sources.forum]
spider = "feed"
url = "https://forum.example.org/feed"
about = "lodestar"
interval = "10m"
token_file = "secrets/token"

[rules.surge]
rule = "surge"
brands = ["lodestar"]
min_persons = 7

[receivers.pr]
address = "pr@example.org"

[mail]
server = "smtp.example.org"
password_file = "/run/secrets/mail"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sturmwarte.toml"
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


def findings(folder: Path, text: str) -> list[Finding]:
    with pytest.raises(ConfigurationError) as caught:
        load(write(folder, text), REGISTRY)
    return list(caught.value.findings)


def test_a_good_file_is_taken_over_and_paths_count_from_it(tmp_path: Path) -> None:
    configuration = load(write(tmp_path, GOOD), REGISTRY)
    assert configuration.data == tmp_path / "store"
    assert configuration.brands["lodestar"].names == ("Lode Star", "Lode-Star")
    assert configuration.sources["forum"].interval == timedelta(minutes=10)
    assert configuration.sources["forum"].options == {"token_file": str(tmp_path / "secrets" / "token")}
    assert configuration.mail.password_file == Path("/run/secrets/mail")


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "problem", "nearest"),
    [
        ("names = [", "nmaes = [", 7, "brands.lodestar.nmaes", "unknown_key", "names"),
        ('about = "lodestar"', 'about = "lodestra"', 15, "sources.forum.about", "unknown_brand", "lodestar"),
        ('spider = "feed"', 'spider = "fead"', 13, "sources.forum.spider", "unknown_spider", "feed"),
        ('brands = ["lodestar"]', 'brands = ["x",\n "Lodestar"]', 21, "rules.surge.brands[0]", "unknown_brand", None),
        ('rule = "surge"', 'rule = "serge"', 20, "rules.surge.rule", "unknown_rule", "surge"),
        ("min_persons = 7", "min_person = 7", 22, "rules.surge.min_person", "unknown_key", "min_persons"),
        ("min_persons = 7", 'min_persons = "many"', 22, "rules.surge.min_persons", "integer_wanted", None),
        ('interval = "10m"', 'intervall = "10m"', 16, "sources.forum.intervall", "unknown_key", "interval"),
        ('interval = "10m"', 'depth = "shalow"', 16, "sources.forum.depth", "unknown_word", "shallow"),
        ("[mail]", '[mail]\nsecurity = "startls"', 28, "mail.security", "unknown_word", "starttls"),
        ("[mail]", "[mail]\nport = 99999", 28, "mail.port", "too_large", None),
        ("[mail]", '[mail]\ntimeout = "5 apples"', 28, "mail.timeout", "invalid", None),
        ("[mail]", "[meil]", 27, "meil", "unknown_key", "mail"),
        (
            "[brands.lodestar]\n",
            "[brands.lodestar]\nkind = 'brend'\n",
            6,
            "brands.lodestar.kind",
            "unknown_word",
            "brand",
        ),
        ('name = "Lodestar"\n', "\n", 5, "brands.lodestar.name", "missing", None),
        ('data = "store"', 'languages = ["de",\n  "enn"]', 4, "languages[1]", "unknown_word", "en"),
        ('data = "store"', 'zone = "Europe/Berln"', 3, "zone", "unknown_zone", "Europe/Berlin"),
        ("https://forum.example.org/feed", "forum.example.org", 14, "sources.forum.url", "bad_address", None),
        ('address = "pr@example.org"', "", 24, "receivers.pr.address", "bad_mail_address", None),
        (
            "[receivers.pr]",
            '[receivers.pr]\nnotifier = "e-mail"',
            25,
            "receivers.pr.notifier",
            "unknown_notifier",
            "email",
        ),
        ("[receivers.pr]", '[receivers."P R"]', 24, "receivers.'P R'", "bad_identifier", None),
    ],
)
def test_each_mistake_names_line_field_and_nearest_word(
    tmp_path: Path, old: str, new: str, line: int, field: str, problem: str, nearest: str | None
) -> None:
    assert old in GOOD
    found = findings(tmp_path, GOOD.replace(old, new, 1))
    assert [(f.line, f.field, f.problem, f.nearest) for f in found if f.field == field] == [
        (line, field, problem, nearest)
    ]
    assert all(f.file == str(tmp_path / "sturmwarte.toml") for f in found)


def test_all_findings_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("names = [", "nmaes = [").replace('"feed"', '"fead"').replace('"surge"', '"serge"')
    assert [f.field for f in findings(tmp_path, text)] == [
        "brands.lodestar.nmaes",
        "sources.forum.spider",
        "rules.surge.rule",
    ]


def test_a_finding_reads_as_one_line(tmp_path: Path) -> None:
    finding = Finding("sturmwarte.toml", 12, "brands.lodestar.nmaes", "unknown_key", nearest="names")
    assert finding.text(ENGLISH) == 'sturmwarte.toml:12: brands.lodestar.nmaes: unknown key, did you mean "names"?'
    assert ConfigurationError([finding, finding]).text(ENGLISH).count("\n") == 1


def test_broken_toml_names_its_line(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, 'contact = "a"\n[brands.x\nname = "x"\n')
    assert (finding.line, finding.problem) == (2, "syntax")
    (finding,) = findings(tmp_path, 'contact = "a"\nnames = ["b"')
    assert (finding.line, finding.problem) == (2, "syntax")


def test_a_missing_file_a_folder_and_a_wrong_encoding_are_findings(tmp_path: Path) -> None:
    broken = tmp_path / "latin.toml"
    broken.write_bytes('contact = "a"\nname = "Bäcker"\n'.encode("latin-1"))
    for path, problem, line in (
        (tmp_path / "none", "no_file", None),
        (tmp_path, "unreadable", None),
        (broken, "encoding", 2),
    ):
        with pytest.raises(ConfigurationError) as caught:
            load(path, REGISTRY)
        assert [(f.problem, f.line) for f in caught.value.findings] == [(problem, line)]


def test_warnings_stand_apart_from_errors(tmp_path: Path) -> None:
    examined = examine(write(tmp_path, GOOD.replace("https://watch.example.org", "http://127.0.0.1:8640")), REGISTRY)
    assert [(w.field, w.problem, w.line) for w in examined.warnings] == [
        ("public_url", "loopback_url", 2),
        ("mail.password_file", "no_secret_file", 29),
    ]
    bare = examine(write(tmp_path, ""), REGISTRY).warnings
    assert [w.problem for w in bare] == ["no_contact", "no_brands", "no_sources", "no_rules", "no_receivers"]


BRANDS = """
[brands.obst]
name = "Apple"
[brands.himmel]
name = "Sky"
ambiguous = ["Skye"]
unless.Sky = ["blue"]
"""


def test_ordinary_words_and_names_that_a_brand_has_not_are_warned_of(tmp_path: Path) -> None:
    warnings = examine(write(tmp_path, BRANDS), REGISTRY).warnings
    assert [(w.field, w.problem, w.line) for w in warnings if w.field.startswith("brands")] == [
        ("brands.obst.name", "ordinary_word", 3),
        ("brands.himmel.ambiguous", "no_such_name", 6),
    ]
    said = [w.text(ENGLISH) for w in warnings if w.field.startswith("brands")]
    assert (
        "'Apple' is an ordinary word too" in said[0]
        and "'Skye' is none of the names of this brand; it has: Sky" in said[1]
    )


ELASTIC = 'engine = "elasticsearch"\n'
HERE = 'urls = ["http://127.0.0.1:9200"]\n'


@pytest.mark.parametrize(
    ("table", "field", "problem", "said"),
    [
        (ELASTIC, "store.urls", "no_store_urls", "urls = ["),
        (ELASTIC + 'urls = ["search:9200"]', "store.urls[0]", "bad_address", '"search:9200" is no address'),
        (ELASTIC + 'urls = ["https://a:9200", "http://10.0.0.7:9200"]', "store.urls[1]", "plain_http", "plain_http"),
        (ELASTIC + 'urls = ["https://me:hunter2@a:9200"]', "store.urls[0]", "credentials_in_address", "password_file"),
        (ELASTIC + 'urls = "https://me:hunter2@a:9200"', "store.urls", "list_wanted", "list"),
        (ELASTIC + 'urls = ["://me:hunter2@a:9200"]', "store.urls[0]", "bad_address", "://…@a:9200"),
        (ELASTIC + HERE + 'username = "a"\napi_key_file = "key"', "store.username", "two_credentials", "api_key_file"),
        (ELASTIC + HERE + 'prefix = "Sturm*"', "store.prefix", "bad_identifier", "lower-case"),
        (ELASTIC + HERE + "replicas = -1", "store.replicas", "too_small", "at least 0"),
        (ELASTIC + HERE + 'api_key = "hunter2"', "store.api_key", "unknown_key", 'did you mean "api_key_env"'),
        ('engine = "elastic"', "store.engine", "unknown_word", "sqlite, elasticsearch"),
    ],
)
def test_what_is_wrong_with_the_store_is_told(tmp_path: Path, table: str, field: str, problem: str, said: str) -> None:
    (finding,) = findings(tmp_path, f"{GOOD}[store]\n{table}\n")
    assert (finding.field, finding.problem) == (field, problem)
    for language in ("de", "en"):
        assert "hunter2" not in finding.text(Speech(language, ZoneInfo("UTC"))) + repr(finding)
    assert said in finding.text(ENGLISH)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('url = "mysql://me:hunter2@db/sturm"', "bad_database"),
        ('url = "postgresql://me:hunter2@db"', "bad_database"),
        ('url = "postgresql://me:hunter2@db/sturm"\nurl_file = "u"', "two_addresses"),
        ('url = ["postgresql://me:hunter2@db/sturm"]', "text_wanted"),
    ],
)
def test_what_is_wrong_with_the_state_is_told_without_its_password(tmp_path: Path, table: str, problem: str) -> None:
    (finding,) = findings(tmp_path, f"{GOOD}[state]\n{table}\n")
    assert (finding.field, finding.problem) == ("state.url", problem)
    assert "hunter2" not in finding.text(ENGLISH) + repr(finding)


def test_a_store_and_a_state_on_servers_are_accepted(tmp_path: Path) -> None:
    text = (
        GOOD + '[store]\nengine = "elasticsearch"\nurls = ["https://a:9200", "http://[::1]:9200"]\nca_file = "ca.pem"\n'
        'api_key_file = "key"\npatience = "20s"\n[state]\nurl = "postgresql://me:hunter2@db/sturm"\n'
    )
    examined = examine(write(tmp_path, text), REGISTRY)
    store, state = examined.configuration.store, examined.configuration.state
    assert (store.prefix, store.replicas, store.ca_file) == ("sturmwarte", 0, tmp_path / "ca.pem")
    assert (store.timeout, store.patience) == (timedelta(seconds=30), timedelta(seconds=20))
    assert state.url.get_secret_value() == "postgresql://me:hunter2@db/sturm"
    assert "hunter2" not in repr(examined.configuration) + examined.configuration.model_dump_json()
    assert [w.field for w in examined.warnings] == ["mail.password_file", "store.ca_file", "store.api_key_file"]
    forgotten = examine(write(tmp_path, GOOD + '[store]\nurls = ["https://a:9200"]\n'), REGISTRY)
    assert ("store.urls", "store_unused") in [(w.field, w.problem) for w in forgotten.warnings]


def test_the_address_of_kibana_is_an_address_of_use(tmp_path: Path) -> None:
    kibana = '[dashboards]\nkibana_url = "{}"\n'
    (wrong,) = findings(tmp_path, GOOD + kibana.format("://me:hunter2@kibana"))
    assert (wrong.field, wrong.problem) == ("dashboards.kibana_url", "bad_address")
    assert "hunter2" not in wrong.text(ENGLISH)
    unused = examine(write(tmp_path, GOOD + kibana.format("https://kibana.example")), REGISTRY)
    assert ("dashboards.kibana_url", "store_unused") in [(w.field, w.problem) for w in unused.warnings]
    used = GOOD + f"[store]\n{ELASTIC}{HERE}" + kibana.format("https://kibana.example/s/pr")
    assert [w for w in examine(write(tmp_path, used), REGISTRY).warnings if w.problem == "store_unused"] == []


def test_secrets_are_never_repeated(tmp_path: Path) -> None:
    text = GOOD + 'password = "hunter2-hunter2"\npassword_env = 17\n'
    with pytest.raises(ConfigurationError) as caught:
        load(write(tmp_path, text), REGISTRY)
    assert "hunter2" not in str(caught.value) + repr(caught.value.findings)
    assert {f.field for f in caught.value.findings} == {"mail.password", "mail.password_env"}


def test_line_index_knows_tables_dotted_keys_arrays_and_long_strings() -> None:
    text = textwrap.dedent(
        '''\
        a.b.c = 1
        text = """one
        two [x]
        # three = 4
        """
        [[many]]
        n = [1,
             { "q r" = [true,
               false] }]
        [[many]]
        n = 2
        [many.'sub]']
        deep = "x"  # [no]
        '''
    )
    tomllib.loads(text)
    lines = line_index(text)
    assert lines[("a", "b", "c")] == 1
    assert lines[("text",)] == 2
    assert lines[("many", 0, "n", 1, "q r", 1)] == 9
    assert lines[("many", 1, "n")] == 11
    assert lines[("many", 1, "sub]", "deep")] == 13
    assert line_of(lines, ("many", 1, "n", "not", "there")) == 11
    assert line_of(lines, ("nothing",)) is None


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)
SCALARS = st.one_of(WORDS, st.integers(-(10**6), 10**6), st.booleans())
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)


def toml_value(value: object, random_: random.Random) -> str:
    gap = random_.choice(["", " ", "\n  # [c] = {\n"])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + "".join(f"{gap}{toml_value(part, random_)}{gap}," for part in value) + gap + "]"
    assert isinstance(value, dict)
    inner = ", ".join(f"{quoted(key)} = {toml_value(part, random_)}" for key, part in value.items())
    return "{ " + inner + " }"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def paths(value: object, base: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {base} | {path for key, part in parts for path in paths(part, (*base, key))}


@given(st.dictionaries(WORDS, TREES, max_size=4), st.randoms(use_true_random=False))
def test_line_index_has_every_path_that_the_parser_has(tree: dict[str, object], random_: random.Random) -> None:
    lines, text = [], ""
    for key, value in tree.items():
        lines.append(text.count("\n") + 1)
        text += f"{quoted(key)} = {toml_value(value, random_)}\n"
    assert tomllib.loads(text) == tree
    index = line_index(text)
    assert set(index) == paths(tree) - {()}
    assert [index[(key,)] for key in tree] == lines


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=300
)
@given(st.data())
def test_no_file_crashes_the_loader(tmp_path: Path, data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        new = data.draw(
            st.sampled_from(["", "[", "]", "{}", "=", '"', "\n", "1", "[[", "x.y", "'''", "9" * 30 + "w", "\x00"])
            | WORDS
        )
        text = text[:at] + new + text[at + cut :]
    path = tmp_path / "sturmwarte.toml"
    path.write_text(text, "utf-8")
    try:
        load(path, REGISTRY)
    except ConfigurationError as error:
        assert error.findings
        lines = text.count("\n") + 1
        assert all(1 <= finding.line <= lines for finding in error.findings if finding.line is not None)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "a = " + "[" * 100_000, "a = " + "9" * 5000, '[mail]\ntimeout = "' + "9" * 40 + 'w"']
)
def test_monstrous_files_are_findings_too(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, text)


def test_a_retired_source_may_be_of_a_kind_that_is_gone(tmp_path: Path) -> None:
    """A network that closed: its spider is taken out some day, its history stays."""
    gone = GOOD.replace("[sources.forum]", '[sources.plus]\nspider = "googleplus"\nurl = "https://plus.google.com"\n'
                        'retired = true\ncircle = "all"\n\n[sources.forum]')  # fmt: skip
    configuration = load(write(tmp_path, gone), REGISTRY)
    assert (configuration.sources["plus"].retired, configuration.sources["plus"].spider) == (True, "googleplus")
    alive = gone.replace("retired = true\n", "")
    assert {(f.field, f.problem) for f in findings(tmp_path, alive)} == {
        ("sources.plus.spider", "unknown_spider"),
        ("sources.plus.circle", "unknown_key"),
    }
