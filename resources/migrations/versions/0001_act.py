"""Who moved a champion, when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create automl_act."""
    op.create_table(
        "automl_act",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("pipeline", sa.String(63), nullable=False, index=True),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version_before", sa.String(32)),
        sa.Column("version_after", sa.String(32)),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("automl_act")
