"""What pytest must not import to look for doctests."""

collect_ignore = ["loadtest/locustfile.py"]  # importing Locust patches the whole interpreter
