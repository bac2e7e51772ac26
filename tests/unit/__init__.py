"""Fast tests of one part each."""
