"""What became of an operation, in the words that a person is shown."""

from __future__ import annotations

FINAL_OUTCOMES = ("applied", "merged", "unchanged", "conflict", "erased")

# state of an operation that has no answer yet
STATE_WORDS = {
    "unsent": ("仅在本机，等待上传", "on this phone only, waiting to be sent"),
    "sent": ("已发出，等待回执", "sent, waiting for the answer"),
}

OUTCOME_WORDS = {
    "applied": ("已写入", "recorded"),
    "merged": ("已合并：他人同时改了别的内容", "merged: others changed other things meanwhile"),
    "unchanged": ("内容相同，无需改动", "nothing to change: the same was already recorded"),
    "conflict": ("有冲突：两个值都已保留，待处理", "in conflict: both values are kept, somebody decides"),
    "held": ("已收到，暂缓写入", "received, held back for now"),
    "quarantined": ("已收到，待人工核对", "received, set apart until somebody has looked at it"),
    "erased": ("当事人资料已依法删除", "the person's data was lawfully erased"),
}

REASON_WORDS = {
    "parent": ("上级记录尚未到达", "the record it belongs to has not arrived yet"),
    "form": ("表单版本服务器尚不认识", "the server does not know this version of the form yet"),
    "install": ("设备待确认", "the device has to be confirmed"),
    "moved": ("记录已迁到其他社区", "the record lives in another community now"),
    "survey_closed": ("调查已结束，由书记决定", "the survey is closed: the answer is kept, the secretary decides"),
    "proposal": ("待有权限的人确认", "somebody over all of it has to confirm"),
    "group": ("同组的其他内容有问题", "another part of the same group has a problem"),
    "behind": ("前一条内容处理完后再写入", "waits until an earlier entry about the same is settled"),
    "malformed": ("内容无法读取", "it could not be read"),
    "oversized": ("内容太大", "it is too large"),
    "invalid": ("填写内容有误", "a value is not acceptable"),
    "unknown_type": ("服务器不认识这种记录", "the server does not know this kind of record"),
    "type_differs": ("编号已属于另一种记录", "the id belongs to another kind of record"),
    "server_made": ("这种记录由系统生成", "records of this kind are made by the server"),
    "op_id_reused": ("同一编号下内容不同", "something else came under the same id before"),
    "unexpected": ("服务器处理出错", "the server failed over it"),
    "declined": ("没有通过", "declined"),
    "discarded": ("已作废", "discarded"),
    "moved_away": ("已迁往其他社区，交由本社区处理", "it lives in another community by now: the office of this one decides"),
    "not_alone": ("迁往其他社区要单独提交", "a move to another community has to be sent by itself"),
    "out_of_scope": ("不在负责范围内", "outside the cells or lines of work this phone is responsible for"),
}

CONTAINED_WORDS = ("，本机已更新", ", and this phone is up to date")


def words(state: str, outcome: str | None, reason: str | None, settled: bool) -> tuple[str, str]:
    """Chinese and English words for what became of one operation.

    Parameters
    ----------
    state : str
        ``unsent``, ``sent`` or ``answered``.
    outcome, reason : str or None
        As the server says them now. An outcome or reason that this phone does not know is shown as it came.
    settled : bool
        The pulled copies contain the operation.
    """
    if outcome is None:
        return STATE_WORDS.get(state, (state, state))
    zh, en = OUTCOME_WORDS.get(outcome, (outcome, outcome))
    if reason and (outcome not in FINAL_OUTCOMES or reason in ("declined", "discarded")):
        reason_zh, reason_en = REASON_WORDS.get(reason, (reason, reason))
        zh, en = f"{zh}（{reason_zh}）", f"{en} ({reason_en})"
    if settled and outcome in ("applied", "merged", "unchanged"):
        zh, en = zh + CONTAINED_WORDS[0], en + CONTAINED_WORDS[1]
    return zh, en
