"""What observes: promise files, sources, timelines, stage timing, reports and the live collector."""
