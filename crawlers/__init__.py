"""source → item: the Scrapy project that reads forums, review pages, feeds and search results."""
