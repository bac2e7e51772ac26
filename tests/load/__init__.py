"""Load runs: pricing on real servers (PostgreSQL, RabbitMQ, worker processes as deployed), and the collector.

``python -m tests.load`` prints what it does, leaves ``build/reports/load.json`` and ends with one line of JSON:
``{machine, fairness, scaling, journey, in_flight, failed, report}``.

``fairness``: many partner requests and heavy models at once, while shop customers ask one after the other: for each
class ``{asked, answered, refused, p50_s, p95_s, p99_s, max_s}``, from the commit of the request to the answer heard.
``scaling``: heavy models on one worker and on two: ``{models, triangles, one_s, two_s, ratio, same}``.
``journey``: the whole house as `make up` runs it, from an upload in the shop to its price on the customer's page: for
each class ``{orders, p50_s, p95_s, p99_s, max_s}``, and ``trace``, the spans of one order's price as they left by OTLP.
``in_flight``: the collector on SQLite with so many orders in flight: ``{in_flight, events_per_s, first_turn_s, turn_s,
picture_s, scrape_s, series, bytes, peak_mib}``. A turn computes all signals after one more event; a picture counts the
orders in flight by stage and risk; a scrape waits for a picture of its own, 2 s at most.
"""
