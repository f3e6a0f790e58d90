"""The servers that the tests of this folder use: what they are, and that they end."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

import pytest
from elastic import VERSION, Node
from elasticsearch import AuthenticationException, Elasticsearch


def test_the_shared_node_is_elasticsearch_8_19(elastic_client: Elasticsearch) -> None:
    info = elastic_client.info()
    assert info["tagline"] == "You Know, for Search"
    assert tuple(map(int, info["version"]["number"].split(".")[:2])) >= (8, 19)


def test_a_prefix_holds_indices_of_one_test_only(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    elastic_client.index(index=f"{elastic_prefix}-a", id="1", document={"a": 1}, refresh=True)
    assert elastic_client.count(index=f"{elastic_prefix}*")["count"] == 1
    assert sorted(elastic_client.indices.get(index=f"{elastic_prefix}*").body) == [f"{elastic_prefix}-a"]


def test_the_secured_node_wants_tls_and_a_password(elastic_secured: Node) -> None:
    with elastic_secured.client() as client:
        assert client.info()["version"]["number"] == VERSION
    with pytest.raises(AuthenticationException), elastic_secured.client(basic_auth=("admin", "wrong")) as client:
        client.info()
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(elastic_secured.url, timeout=10)
    assert isinstance(refused.value.reason, ssl.SSLCertVerificationError)
