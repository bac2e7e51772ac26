"""From a 3D model to a quote: load, measure, check, quote. Pure functions inside, the workers' shell outside."""
