"""The benchmark: Touchstone and its peers, as whole processes, in one run.

``python -m tests.bench`` prints tables, writes ``build/reports/bench.json`` and ``bench.txt``, and ends with one line
of JSON: ``{source, promise, machine, runs, replay, xes, live, bus, pricing, aims, failed, report}``.

``replay``: for each size (a count of events) ``{touchstone: FIGURES, duckdb: FIGURES, polars: ..., pm4py: ...}``;
``xes``: the same for ``plain`` and ``gz``; ``live``: the same for ``sqlite x1``, ``sqlite x4``, ``postgresql x1`` ...
(a store and the number of clients); ``bus``: the same for ``end to end`` (from commit to handled; raw: from publish to
acknowledged) and ``worker`` (one statement for each event, against a consumer that makes the same statements by hand).
``pricing``: the same for ``sums of 1,000,000, process`` and ``..., kernel`` (the part that measures: ``peak_mib`` is
what it adds), ``layers of ...``, ``page cache of ...`` and ``quote of ...``, with triangles in place of events.
FIGURES is ``{version, events, events_per_s, wall_s, wall_min_s, wall_max_s, cpu_s,
peak_mib, runs}``, medians over the runs; a peer's also hold ``ratio`` (our time over its time, median over the pairs
of neighbouring runs), ``ratio_min``, ``ratio_max`` and ``ratio_cpu``. What did not run is ``{skipped: reason}``.
``aims``: a list of ``{aim, figure, limit, met}``; ``failed``: what should have run and failed (then the exit status
is 1; a missed aim is no failure).
"""
