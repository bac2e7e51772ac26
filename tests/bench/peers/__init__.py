"""Programs of the peers, each run by the Python of its own environment; each prints one line of JSON.

``{"events": rows read, "orders": orders seen, "total_s": the time in all statuses}``, so that one can see that the
same work was done.
"""
