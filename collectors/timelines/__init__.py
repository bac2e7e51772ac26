"""From status changes to each order's time in every stage, exactly, for many orders at once."""
