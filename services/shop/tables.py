"""The shop's tables: catalogue, customers and their models, orders and what was heard of them, answered requests."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, MetaData, Table, Text

from services.auth.accounts import account_tables
from services.columns import Moment, Sentences

metadata = MetaData()

items = Table(
    "items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("model", Text),
    Column("amount", Text),
    Column("currency", Text),
    Column("active", Boolean, nullable=False),
)

catalogue = Table(
    "catalogue",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("model", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("format", Text, nullable=False),
    Column("at", Moment, comment="When it was last brought."),
    Column("cold", Boolean, nullable=False, default=False),
)

# Who brought which model: nobody orders a piece from a model that only another customer has.
uploads = Table(
    "uploads",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Index("uploads_of_model", "model"),
)

# Uploads that go straight to the store; ``model``: what one turned out to be, once it is complete.
direct_uploads = Table(
    "direct_uploads",
    metadata,
    Column("upload", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("remote", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("parts", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("expires_at", Moment, nullable=False),
    Column("model", Text),
    Index("direct_uploads_of_customer", "customer"),
    Index("direct_uploads_expiry", "expires_at"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("customer", Text),
    Column("customer_name", Text),
    Column("channel", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("model", Text),
    Column("alloy", Text),
    Column("unit", Text),
    Column("item", Text),
    Column("note", Text),
    Column("placed_at", Moment, nullable=False),
    Column("promised_at", Moment),
    Column("status", Text),
    Column("since", Moment),
    Column("source", Text),
    Column("sequence", BigInteger),
    Column("progress", Float),
    Column("reason", Text),
    Column("amount", Text),
    Column("currency", Text),
    Column("valid_until", Moment),
    Column("problems", Sentences),
    Column("picture", Text),
    Column("answer", Text),
    Column("answered_to", BigInteger),
    Column("cancel_asked_at", Moment),
    Index("orders_of_customer", "customer", "placed_at", "id"),
    Index("orders_of_model", "model"),
)

order_statuses = Table(
    "order_statuses",
    metadata,
    Column("order", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("progress", Float),
    Column("amount", Text),
    Column("currency", Text),
    Column("valid_until", Moment),
    Column("reason", Text),
    Column("by", Text),
    Column("problems", Sentences),
    Column("picture", Text),
)

requests = Table(
    "requests",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text),
    Column("at", Moment, nullable=False),
)

accounts = account_tables(metadata)
