"""The fault run: the bus on real servers while processes, connections and the broker die under it.

``python -m tests.faults`` runs three scenarios, each of several processes on PostgreSQL and on RabbitMQ behind
Toxiproxy: ``bus`` as it is, and two controls that lack what makes it safe, and must be caught losing or doubling.
``pricing``: workers and their children are killed while prices are asked for; each request must have one answer, the
one that the model has alone: ``{requests, workers_killed, children_killed, stuck, doubled, priced_differently}``.
It writes ``build/reports/faults.json``, ``faults.txt`` and ``faults.log`` (what the processes said), and ends with one
line of JSON: ``{orders, kills, resets, broker_restarts, lost, doubled, misordered, controls: {no_inbox: {...},
dual_write: {...}}, pricing: {...}, ...}``. Exit status 1 if `failed`, a list of sentences, holds any.
"""
