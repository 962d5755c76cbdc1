"""How the engine would carry a statement out, as typed steps: what it prints of conditions stays in the region."""

from __future__ import annotations

import re

from libs.core.errors import Reason, StorexError
from services.shard.mysql.connection import Row
from services.shard.view import InstanceView, real, text, whole
from storex.diagnostics.v1 import plans_pb2
from storex.diagnostics.v1.plans_pb2 import ExplainStatementRequest, ExplainStatementResponse, PlanFlag, PlanStep

MOST_STEPS = 200
_ACCESS = frozenset(
    {
        *("system", "const", "eq_ref", "ref", "fulltext", "ref_or_null", "index_merge", "unique_subquery"),
        *("index_subquery", "range", "index", "ALL", "hash_ALL", "hash_index", "hash_range"),
    }
)
_WHOLE = frozenset({"ALL", "index", "hash_ALL", "hash_index"})
_KINDS = re.compile(r"[A-Z]+(?: [A-Z]+)*", re.ASCII)
_FLAGS: tuple[tuple[str, PlanFlag.ValueType], ...] = (
    ("using index condition", plans_pb2.PLAN_FLAG_USING_INDEX_CONDITION),
    ("using index for group-by", plans_pb2.PLAN_FLAG_USING_INDEX_FOR_GROUP_BY),
    ("using index", plans_pb2.PLAN_FLAG_USING_INDEX),
    ("using where", plans_pb2.PLAN_FLAG_USING_WHERE),
    ("using temporary", plans_pb2.PLAN_FLAG_USING_TEMPORARY),
    ("using filesort", plans_pb2.PLAN_FLAG_USING_FILESORT),
    ("using join buffer", plans_pb2.PLAN_FLAG_USING_JOIN_BUFFER),
    ("using mrr", plans_pb2.PLAN_FLAG_USING_MRR),
    ("rowid-ordered scan", plans_pb2.PLAN_FLAG_USING_MRR),
    ("key-ordered scan", plans_pb2.PLAN_FLAG_USING_MRR),
    ("using union", plans_pb2.PLAN_FLAG_USING_INDEX_MERGE),
    ("using sort_union", plans_pb2.PLAN_FLAG_USING_INDEX_MERGE),
    ("using intersect", plans_pb2.PLAN_FLAG_USING_INDEX_MERGE),
    ("backward index scan", plans_pb2.PLAN_FLAG_BACKWARD_INDEX_SCAN),
    ("range checked for each record", plans_pb2.PLAN_FLAG_RANGE_CHECKED_FOR_EACH_RECORD),
    ("impossible", plans_pb2.PLAN_FLAG_IMPOSSIBLE_WHERE),
    ("no matching", plans_pb2.PLAN_FLAG_NO_MATCHING_ROW),
    ("const row not found", plans_pb2.PLAN_FLAG_NO_MATCHING_ROW),
    ("unique row not found", plans_pb2.PLAN_FLAG_NO_MATCHING_ROW),
    ("select tables optimized away", plans_pb2.PLAN_FLAG_OPTIMIZED_AWAY),
    ("distinct", plans_pb2.PLAN_FLAG_FIRST_MATCH),
    ("firstmatch", plans_pb2.PLAN_FLAG_FIRST_MATCH),
    ("not exists", plans_pb2.PLAN_FLAG_FIRST_MATCH),
    ("no tables used", plans_pb2.PLAN_FLAG_NO_TABLES_USED),
)
"""How the remarks of both engines begin, the longer ones first; MySQL manual, "EXPLAIN Extra Information"."""


async def explain_statement(view: InstanceView, request: ExplainStatementRequest) -> ExplainStatementResponse:
    """Have the digest's statement explained. Raises StorexError, see `Explainer.explain`."""
    if not request.digest or len(request.digest) > 128:
        raise StorexError(Reason.REQUEST_INVALID, field="digest", problem="it must be a statement's digest")
    if view.explainer is None:
        raise StorexError(Reason.EXPLAIN_NOT_ALLOWED)
    began = view.clock.now()
    plan = await view.explainer.explain(request.digest)
    answer = ExplainStatementResponse(
        observation=view.observation(began),
        schema=plan.schema,
        text=plan.text,
        steps=[_step(row) for row in plan.rows[:MOST_STEPS]],
    )
    known = view.texts.get(request.digest)
    if known is not None:
        answer.statement.CopyFrom(known.proto())
    else:
        answer.statement.digest = request.digest
    return answer


def _step(row: Row) -> PlanStep:
    kind, access = text(row["select_type"]), text(row["type"])
    step = PlanStep(
        select_id=max(0, whole(row["id"])),
        select_type=kind if _KINDS.fullmatch(kind) else "OTHER",
        table=text(row["table"]),
        access_type=access if access in _ACCESS else "other" if access else "",
        full_scan=access in _WHOLE,
        key=text(row["key"]),
        possible_keys=[name for name in text(row["possible_keys"]).split(",") if name],
        key_bytes=whole(text(row["key_len"]).partition(",")[0]),
        rows=whole(row["rows"]),
        flags=_flags(text(row["extra"])),
    )
    if row.get("filtered") is not None:
        step.filtered_percent = round(real(row["filtered"]), 2)
    return step


def _flags(extra: str) -> list[PlanFlag.ValueType]:
    remarks = [part.strip().lower() for part in extra.split(";") if part.strip()]
    return list(dict.fromkeys(_flag(remark) for remark in remarks))


def _flag(remark: str) -> PlanFlag.ValueType:
    return next((flag for start, flag in _FLAGS if remark.startswith(start)), plans_pb2.PLAN_FLAG_OTHER)
