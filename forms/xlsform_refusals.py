"""What a workbook is refused for, with its wording. All refusals of a workbook are told at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from forms.chinese_reasons import zh_name
from forms.errors import FormsError

#: Code to (中文, English). ``{0}`` is a name out of the workbook's own structure, never an answer.
REASONS: dict[str, tuple[str, str]] = {
    "not_a_workbook": ("不是可读的 XLSX 工作簿", "this is no XLSX workbook that can be read"),
    "too_large": ("工作簿过大：{0}", "the workbook is too large: {0}"),
    "no_survey": ("缺少 survey 工作表", "there is no sheet called survey"),
    "no_column": ("缺少列 {0}", "the column {0} is missing"),
    "column_repeated": ("列 {0} 重复", "the column {0} is there twice"),
    "column_unknown": ("不认识的列 {0}", "the column {0} is not known"),
    "column_media": ("不支持题目里的图片、音频、视频", "pictures, sound and video beside a question are not supported"),
    "column_not_kept": ("不支持列 {0}", "the column {0} is not supported"),
    "language": ("只保留中文和英文，不保留 {0}", "only Chinese and English are kept, not {0}"),
    "formula": ("单元格是公式，请粘贴为数值", "the cell is a formula: paste its value instead"),
    "cell_error": ("单元格是错误值", "the cell holds an error"),
    "sheet_external": ("不支持外部选项表", "cascading choices out of a table are not supported"),
    "sheet_not_kept": ("不支持工作表 {0}", "the sheet {0} is not supported"),
    "type_missing": ("未填写题型", "the type is missing"),
    "type_repeat": ("不支持重复组：每一项应是一条单独的记录", "repeats are not supported: each entry is a record of its own"),
    "type_media": ("不支持题型 {0}（图片、音频、视频、文件）", "the type {0} is not supported (picture, sound, video, file)"),
    "type_external": ("不支持题型 {0}（外部选项）", "the type {0} is not supported (choices out of a table)"),
    "type_line": ("题型 {0}：只支持点（geopoint）", "the type {0} is not supported: only points (geopoint) are"),
    "type_unsupported": ("不支持题型 {0}", "the type {0} is not supported"),
    "group_unclosed": ("分组没有结束", "the group has no end"),
    "group_unopened": ("没有对应的分组开始", "no group begins for this end"),
    "name_missing": ("未填写名称", "the name is missing"),
    "name_unusable": ("名称 {0} 应以字母开头，只含字母、数字和下划线，最多 64 个字符",
                      "the name {0} must begin with a letter, hold letters, digits and _ only, and be at most 64 long"),
    "name_repeated": ("名称 {0} 重复（不分大小写，- 和 . 视同 _）", "the name {0} is there twice (case, - and . do not distinguish)"),
    "label_missing": ("未填写标签", "the label is missing"),
    "label_dynamic": ("不支持标签中引用答案", "a text that shows an answer is not supported"),
    "list_missing": ("未写明选项表", "the list of choices is not named"),
    "list_unknown": ("没有选项表 {0}", "there is no list of choices {0}"),
    "list_taken": ("系统已有同名而不同的选项表 {0}", "another list called {0} is already declared"),
    "code_missing": ("选项未填写代码", "the choice has no name"),
    "code_spaces": ("选项代码含空格", "the name of a choice holds a space"),
    "code_repeated": ("选项代码 {0} 重复", "the name of the choice {0} is there twice"),
    "choice_filter": ("不支持级联选项", "choices that depend on other answers are not supported"),
    "search_appearance": ("不支持外部选项 search()", "choices by search() are not supported"),
    "read_only": ("只读题请改用 note 或 calculate", "a question that takes no answer: make it a note or a calculate"),
    "not_yes_no": ("应为 yes 或 no", "yes or no is needed"),
    "not_a_number": ("应为数字", "a number is needed"),
    "expression": ("表达式不支持：{0}", "the expression is not supported: {0}"),
    "no_expression": ("calculate 缺少计算式", "the calculation is missing"),
    "calculation_kind": ("计算结果的类型不确定", "the calculation can be of different kinds"),
    "calculation_cycle": ("计算互相引用，或引用了自己的结果", "the calculation needs its own result, or others that need it"),
    "default_dynamic": ("不支持由表达式给出的默认值", "a default that is an expression is not supported"),
    "default_wrong": ("默认值不符合题型", "the default is not a value of this question"),
    "version": ("版本应为正整数", "the version must be a whole number from 1"),
    "form_id": ("表单编号 {0} 应以字母开头，只含字母、数字和下划线，最多 64 个字符",
                "the form_id {0} must begin with a letter, hold letters, digits and _ only, and be at most 64 long"),
    "form_id_missing": ("未填写表单编号", "the form_id is missing"),
    "form_taken": ("{0} 是内置记录类型", "{0} is a built-in record type"),
    "form_empty": ("没有任何题目", "there is no question"),
    "subject": ("dishu_subject 应为 household、person 或 none", "dishu_subject must be household, person or none"),
    "audience": ("dishu_audience 不成立：{0}", "dishu_audience does not hold: {0}"),
    "audience_of_nobody": ("不关联住户或人员的调查没有调查范围", "a survey about neither households nor persons has no audience"),
    "subject_taken": ("题目名 {0} 留给所关联的记录", "the name {0} is kept for the record that the answers are linked to"),
    "no_anchor": (
        "不关联住户或人员时，需要名为 anchor 的 geopoint 题",
        "answers linked to nobody need a geopoint question called anchor",
    ),
    "version_not_newer": ("版本应大于已发布的 {0}", "the version must be greater than {0}, which is published"),
    "subject_changed": ("所关联的对象与已发布的一版不同；请换一个表单编号",
                        "the answers were linked to something else in the published version: use another form_id"),
    "field_changed": ("题目 {0} 与已发布的一版不同（{1}）；含义变了请另设新题",
                      "the question {0} differs from the published version ({1}): another meaning is a new question"),
    "definition": ("定义不成立：{0}", "the definition does not hold: {0}"),
}  # fmt: skip


#: Codes whose names are reasons in words; those of the others are pieces of the workbook.
_REASONED = frozenset({"expression", "audience", "definition", "too_large", "field_changed"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that cannot be imported. ``row`` counts from 1 as the screen does; ``column`` is a letter; None: the whole."""

    sheet: str
    row: int | None
    column: str | None
    code: str
    message_zh: str
    message_en: str

    @property
    def place(self) -> str:
        """For example ``survey!C12``, ``survey!12`` or ``survey``."""
        where = f"{self.column or ''}{self.row or ''}"
        return f"{self.sheet}!{where}" if where else self.sheet


class XlsformRefused(FormsError):
    """A workbook that cannot be imported whole. ``refusals`` holds every reason, in the order of sheets and rows."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(refusals)
        first = self.refusals[0]
        more = f" (and {len(self.refusals) - 1} more)" if len(self.refusals) > 1 else ""
        super().__init__(f"{first.place}: {first.message_en}{more}")


class Complaints:
    """Collects the refusals of one workbook."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str, str], Refusal] = {}

    def add(self, sheet: str, row: int | None, column: int | None, code: str, *names: object) -> None:
        """Keep a refusal; ``column`` counts from 0."""
        zh, en = REASONS[code]
        letter = None if column is None else letter_of(column)
        said = map(zh_name, names) if code in _REASONED else names
        found = Refusal(sheet, row, letter, code, zh.format(*said), en.format(*names))
        self._found.setdefault((sheet, row or 0, -1 if column is None else column, code, found.message_en), found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise ``XlsformRefused`` if there is anything to refuse."""
        if self._found:
            order = ["survey", "choices", "settings"]
            rank = {name: position for position, name in enumerate(order)}
            ordered = sorted(self._found, key=lambda key: (rank.get(key[0], len(order)), *key))
            raise XlsformRefused(self._found[key] for key in ordered)


def letter_of(column: int) -> str:
    """Letters of a column counted from 0: A, …, Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
