"""What all tests share: the Elasticsearch that is started once, by the first test that asks for it."""

from elastic import elastic_client, elastic_prefix, elastic_secured, elastic_url

__all__ = ["elastic_client", "elastic_prefix", "elastic_secured", "elastic_url"]
