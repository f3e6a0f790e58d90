"""The mention store on Elasticsearch: one index per month, optimistic locking, history beside it."""
