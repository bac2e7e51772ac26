"""Which stage has become slower, said from the orders in flight: pure functions of a bounded ledger of the flow."""
