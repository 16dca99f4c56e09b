"""All accounts at once, inside a deadline, and what is known of each."""

from exporter.scrape.caching_collector import Reading, Timing
from exporter.scrape.scraper import Scraper

__all__ = ["Reading", "Scraper", "Timing"]
