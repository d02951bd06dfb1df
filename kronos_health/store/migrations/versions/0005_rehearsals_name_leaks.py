"""what a rehearsal found to outlive its graph"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leak",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("iteration_id", sa.String(length=36), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False, comment="in the order told: the one that was read first"),
        sa.Column(
            "read",
            sa.Boolean(),
            nullable=False,
            comment="its reading failed; the others are held alike and would be next",
        ),
        sa.Column(
            "producer",
            sa.String(length=255),
            nullable=False,
            comment="compiled callable that made it, e.g. Kronos.decode_s1",
        ),
        sa.Column(
            "output", sa.Integer(), nullable=False, comment="its place among the outputs of the callable's graph"
        ),
        sa.Column("shape", sa.String(length=128), nullable=False),
        sa.Column("frame_file", sa.Text(), nullable=True, comment="the line that made it"),
        sa.Column("frame_line", sa.Integer(), nullable=True),
        sa.Column("frame_function", sa.String(length=255), nullable=True),
        sa.Column("frame_code", sa.Text(), nullable=True),
        sa.Column(
            "keeper",
            sa.String(length=16),
            nullable=False,
            comment="parked, attribute, handoff, variable, forecast or unknown",
        ),
        sa.Column(
            "kept_by",
            sa.Text(),
            nullable=False,
            comment="its path on the target; handoff: the reader's parameter",
        ),
        sa.Column(
            "reader",
            sa.String(length=255),
            nullable=True,
            comment="compiled callable that read it; null: eager code, or not read",
        ),
        sa.Column("read_file", sa.Text(), nullable=True, comment="the line that read it"),
        sa.Column("read_line", sa.Integer(), nullable=True),
        sa.Column("read_function", sa.String(length=255), nullable=True),
        sa.Column("read_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["iteration_id"], ["iteration.id"], name=op.f("fk_leak_iteration_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leak")),
        sa.UniqueConstraint("iteration_id", "index", name=op.f("uq_leak_iteration_id_index")),
        comment="Outputs that outlived their CUDA graphs, as a rehearsal found them.",
    )


def downgrade() -> None:
    op.drop_table("leak")
