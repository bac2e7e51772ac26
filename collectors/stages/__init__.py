"""Stage timing: what each stage costs, which one breaks promises, and since when."""
