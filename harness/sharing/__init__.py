"""Results in one place for several machines: a bucket or any other folder that has a URL."""
