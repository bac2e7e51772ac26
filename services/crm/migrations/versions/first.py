"""The first schema of the desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "crm_0001"
down_revision = None
branch_labels = ("crm",)
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NEVER = str(2**62)
_GROWING = ("decisions", "standings")


def upgrade() -> None:
    """Create every table, and the triggers that keep two of them growing only."""
    _files()
    _history()
    _decisions()
    _customers()
    for table in _GROWING:
        _only_grows(table)


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("order_id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("channel", "product", "customer", "customer_name", "model", "item")),
        sa.Column("promised_at", sa.BigInteger),
        sa.Column("status", sa.Text),
        sa.Column("status_at", sa.BigInteger),
        sa.Column("source", sa.Text),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("tray", sa.Text, nullable=False, server_default="pricing"),
        sa.Column("question", sa.Text, nullable=False, server_default="none"),
        sa.Column("answer", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("amount", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("valid_until", sa.BigInteger),
        sa.Column("asked_at", sa.BigInteger),
        sa.Column("paused_us", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("due_us", sa.BigInteger, nullable=False, server_default=_NEVER),
        sa.Column("shipped_at", sa.BigInteger),
        sa.Column("close_at", sa.BigInteger),
        sa.Column("unwanted", sa.Text),
    )
    on_desk, to_close = sa.text("tray = 'waiting'"), sa.text("close_at IS NOT NULL")
    op.create_index("files_on_desk", "files", ["due_us", "order_id"], sqlite_where=on_desk, postgresql_where=on_desk)
    op.create_index("files_to_close", "files", ["close_at"], sqlite_where=to_close, postgresql_where=to_close)
    op.create_index("files_by_status", "files", ["status", "order_id"])
    op.create_index("files_by_customer", "files", ["customer", "order_id"])


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.Float),
        sa.Column("reason", sa.Text),
        sa.Column("by", sa.Text),
        sa.PrimaryKeyConstraint("order_id", "source", "sequence"),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("automatic", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount", sa.Text),
        sa.Column("currency", sa.Text),
        sa.Column("says", sa.Text),
    )
    op.create_index("decisions_of_order", "decisions", ["order_id", "number"])


def _customers() -> None:
    op.create_table(
        "dialogue",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
    )
    op.create_index("dialogue_of_order", "dialogue", ["order_id", "number"])
    op.create_table(
        "standings",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("standings_of_customer", "standings", ["customer", "number"])


def _only_grows(table: str) -> None:
    sentence = f"{table} only grows: what was decided stays on record"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
    )
