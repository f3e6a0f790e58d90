"""The container files hold together. No image is built here: there is no daemon to build it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import needs

from pipeline.toml import load
from sturmwarte.command import COMMANDS
from sturmwarte.registry import build_registry

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
DOCKERFILE = re.sub(r"\\\n\s*", "", (DOCKER / "Dockerfile").read_text("utf-8"))
INSTRUCTIONS = [tuple(line.split(" ", 1)) for line in DOCKERFILE.splitlines() if re.match(r"[A-Z]+ ", line)]
SECRET = re.compile(r"(password|secret|token|key)\s*[=:]\s*\S", re.IGNORECASE)


def values(instruction: str) -> list[str]:
    return [value for name, value in INSTRUCTIONS if name == instruction]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
    assert list(compose["services"]) == ["sturmwarte"]
    return {**compose["services"]["sturmwarte"], "all": compose}


def test_what_is_copied_exists_and_passes_the_ignore_file() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sources = [word for value in values("COPY") if "--from" not in value for word in value.split()[:-1]]
    assert {"requirements.lock", "pipeline", "NOTICE"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored
    packages = re.findall(r'^packages = (\[.*"sturmwarte"\])$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)[0]
    assert set(re.findall(r'"(\w+)"', packages)) <= set(sources)


def test_everything_installed_is_hashed() -> None:
    installs = [value for value in values("RUN") if " install " in value]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]


def test_nobody_is_root_and_health_is_looked_at() -> None:
    assert values("USER") == ["10001"]
    assert "/healthz" in values("HEALTHCHECK")[0]
    assert values("ENTRYPOINT") == ['["sturmwarte"]']


def test_the_data_folder_is_the_volume(service: dict[str, Any]) -> None:
    configuration = load(DOCKER / "etc/sturmwarte.toml", build_registry())
    volume = values("VOLUME")[0]
    assert configuration.data.parent == Path(volume), "restore replaces the folder, which a volume cannot be"
    assert f"data:{volume}" in service["volumes"]
    assert "data" in service["all"]["volumes"]
    assert "STURMWARTE_CONFIG=/etc/sturmwarte/sturmwarte.toml" in values("ENV")[-1]
    assert "./etc:/etc/sturmwarte:ro" in service["volumes"]


def test_pages_are_reachable_and_behind_a_password(service: dict[str, Any]) -> None:
    web = load(DOCKER / "etc/sturmwarte.toml", build_registry()).web
    assert web.host == "0.0.0.0" and str(web.port) == values("EXPOSE")[0]
    assert web.password_file == Path("/run/secrets/web_password")
    assert "web_password" in service["secrets"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_secrets_come_from_files_that_are_not_ours(service: dict[str, Any]) -> None:
    given = service["all"]["secrets"]
    assert set(given) == set(service["secrets"])
    assert all(list(secret) == ["file"] for secret in given.values())
    assert "environment" not in service
    assert "/docker/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert [line for value in values("ENV") + values("ARG") for line in value.split() if SECRET.search(line)] == []


def test_the_service_can_write_nowhere_but_into_its_volume(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert (DOCKER / "etc").is_dir() and (DOCKER.parent / service["build"]["dockerfile"]).is_file()


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / "compose.cluster.yaml").read_text("utf-8")))


WORKERS = {"crawl": 3, "watch": 2, "serve": 1}


@pytest.mark.parametrize("name", ["compose.yaml", "compose.cluster.yaml"])
def test_the_schema_of_compose_files_is_kept(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "docker"
    shutil.copytree(DOCKER, copy)
    program = needs("docker-compose", "docker-compose")
    done = subprocess.run([program, "-f", str(copy / name), "config", "-q"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_several_workers_of_each_kind_share_one_configuration(cluster: dict[str, Any]) -> None:
    services = cluster["services"]
    for name, count in WORKERS.items():
        assert services[name].get("deploy", {}).get("replicas", 1) == count
        assert services[name]["environment"] == {"STURMWARTE_CONFIG": "/etc/sturmwarte/cluster.toml"}
        assert services[name]["read_only"] is True and services[name]["cap_drop"] == ["ALL"]
        assert services[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
        assert services[name]["command"][0] in COMMANDS
    configuration = load(DOCKER / "etc/cluster.toml", build_registry())
    assert configuration.store.engine == "elasticsearch"
    assert configuration.store.username == "sturmwarte" and not configuration.store.plain_http
    assert configuration.data.parent == Path("/var/lib/sturmwarte")
    for file in (configuration.store.password_file, configuration.state.url_file, configuration.web.password_file):
        assert file and file.parent == Path("/run/secrets") and file.name in services["serve"]["secrets"]


def test_the_cluster_has_no_password_of_ours_and_is_open_to_nobody_outside(cluster: dict[str, Any]) -> None:
    assert {secret["file"] for secret in cluster["secrets"].values()} == {
        f"./secrets/{name}" for name in cluster["secrets"]
    }
    for name, service in cluster["services"].items():
        settings = [f"{key}={value}" for key, value in service.get("environment", {}).items()]
        assert [line for line in settings if SECRET.search(line) and "_FILE=" not in line and ".ssl." not in line] == []
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "ports" not in cluster["services"]["elasticsearch"] | cluster["services"]["postgres"]
    environment = cluster["services"]["elasticsearch"]["environment"]
    assert environment["xpack.security.enabled"] == environment["xpack.security.http.ssl.enabled"] == "true"


@pytest.mark.parametrize("script", ["certificates.sh", "users.sh"])
def test_the_scripts_of_the_cluster_can_be_read_by_bash(script: str) -> None:
    subprocess.run(["bash", "-n", str(DOCKER / "cluster" / script)], check=True)
    named = re.findall(r"/cluster/([\w.]+\.json)", (DOCKER / "cluster" / script).read_text("utf-8"))
    assert all((DOCKER / "cluster" / name).is_file() for name in named)
