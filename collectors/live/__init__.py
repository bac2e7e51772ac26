"""The live collector: status events by HTTP or from a growing log, judged as replay judges them."""
