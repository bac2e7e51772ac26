"""Mutation runs: ``python -m tests.mutations [--only rules|signals] [--alert NAME]... [--module NAME]...``.

Each run makes small mistakes on purpose and asks whether the tests notice. A mutant that no test notices has survived;
the share of those killed is reported on the last line, as JSON, and in full under build/reports/mutations-*.json.
"""
