"""Batches, verdicts, actions, notices and quarantine."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _table(noun, *columns):
    op.create_table(
        f"automl_{noun}",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("pipeline", sa.String(63), nullable=False),
        *columns,
    )


def _text(name, length=None):
    return sa.Column(name, sa.String(length) if length else sa.Text, nullable=False)


def upgrade() -> None:
    """Create the tables."""
    _table(
        "batch",
        _text("key", 512), _text("digest", 128), _text("state", 16), sa.Column("same_as", sa.String(512)),
        sa.Column("size", sa.BigInteger, nullable=False), sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("automl_batch_key", "automl_batch", ["pipeline", "key"], unique=True)
    _table(
        "verdict",
        _text("batch", 512), _text("champion", 32), _text("finding", 128), _text("action", 16), _text("run_id", 64),
        sa.Column("sequence", sa.Integer, nullable=False), sa.Column("acts", sa.Boolean, nullable=False),
        sa.Column("measured", sa.Boolean, nullable=False), _text("document"),
    )
    op.create_index("automl_verdict_finding", "automl_verdict", ["pipeline", "finding"], unique=True)
    op.create_index("automl_verdict_at", "automl_verdict", ["at"])
    _table(
        "action",
        _text("kind", 16), _text("key", 256), _text("state", 16), _text("finding", 128), _text("run_id", 64),
        _text("reason"), _text("outcome"), _text("actor", 128), _text("payload"),
        sa.Column("requested_at", sa.DateTime), sa.Column("done_at", sa.DateTime),
    )
    op.create_index("automl_action_key", "automl_action", ["pipeline", "key"], unique=True)
    op.create_index("automl_action_state", "automl_action", ["state", "kind"])
    _table(
        "notice",
        _text("severity", 16), _text("title"), _text("body"), _text("key", 256), _text("state", 16),
        _text("delivered"), _text("error"), sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.DateTime),
    )
    op.create_index("automl_notice_state", "automl_notice", ["state", "pipeline"])
    _table(
        "quarantine",
        _text("batch", 512), _text("digest", 128), _text("reasons"), _text("answer", 16), _text("actor", 128),
        _text("why"), sa.Column("answered_at", sa.DateTime),
    )
    op.create_index("automl_quarantine_digest", "automl_quarantine", ["pipeline", "batch", "digest"], unique=True)


def downgrade() -> None:
    """Drop them."""
    for noun in ("quarantine", "notice", "action", "verdict", "batch"):
        op.drop_table(f"automl_{noun}")
