"""The online shop: catalogue, customers' models, orders, and the page on which a customer sees where the order is."""
