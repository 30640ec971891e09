"""`python -m tests.bench`: how fast it is, as ratios that are measured in one run, with their parts."""
