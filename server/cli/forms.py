"""`dishu forms`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from forms.definition import RecordType
from forms.registry import load_registry
from forms.xlsform_read import ImportedForm, XlsformRefused, read_xlsform
from forms.xlsform_write import write_xlsform

_IN = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group("forms")
def command() -> None:
    """Record types as XLSForm workbooks (docs/xlsform.md)."""


@command.command("check")
@click.argument("workbook", type=_IN)
def check(workbook: Path) -> None:
    """Print every reason why a workbook cannot be imported, with sheet, column and row; exit status 1 if there is one."""
    _tell(_read(workbook))


@command.command("import")
@click.argument("workbook", type=_IN)
@click.option("-o", "--output", type=_OUT, help="Default: the form's name with .json, in this folder.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def import_(workbook: Path, output: Path | None, overwrite: bool) -> None:
    """Write a workbook's definition and code lists to a JSON file; nothing is written if anything is refused.

    The file does not come into force by itself: a running server knows the record types that it was started with.
    """
    form = _read(workbook)
    target = _free(output or Path(f"{form.definition['name']}.json"), overwrite)
    target.write_text(json.dumps(form.document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    _tell(form)
    click.echo(f"written\t{target}")


@command.command("export")
@click.argument("form")
@click.option("-o", "--output", type=_OUT, help="Default: the form's name with .xlsx, in this folder.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def export(form: str, output: Path | None, overwrite: bool) -> None:
    """Write a record type as an XLSForm workbook. FORM is the name of a record type, or a file that `import` wrote."""
    record_type = _record_type(form)
    target = _free(output or Path(f"{record_type.name}.xlsx"), overwrite)
    write_xlsform(record_type, str(target))
    click.echo(f"written\t{target}")


def _read(workbook: Path) -> ImportedForm:
    try:
        return read_xlsform(workbook, name=workbook.stem, reserved=load_registry().types())
    except XlsformRefused as refused:
        for one in refused.refusals:
            click.echo("\t".join((one.place, one.code, one.message_zh, one.message_en)))
        raise click.ClickException(
            f"refused 不能导入: {len(refused.refusals)} reasons; nothing was imported"
        ) from refused


def _tell(form: ImportedForm) -> None:
    definition = form.definition
    click.echo(
        f"ok 可以导入\t{definition['name']}\tversion {definition['version']}\tfields {len(definition['fields'])}"
        f"\tscreens {sum(len(view['screens']) for view in definition['views'])}\tcode lists {len(form.codelists)}"
    )


def _record_type(form: str) -> RecordType:
    path = Path(form)
    if not path.suffix:
        return load_registry().latest(form)
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        definition, codelists = document["definition"], document["codelists"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise click.ClickException(f"{path} is no file that `dishu forms import` wrote") from wrong
    return load_registry([definition], codelists).latest(definition["name"])


def _free(target: Path, overwrite: bool) -> Path:
    if target.exists() and not overwrite:
        raise click.ClickException(f"{target} is there already; --overwrite replaces it")
    return target
