"""Shop, CRM and MES: one app and one database each, on building blocks that they share."""
