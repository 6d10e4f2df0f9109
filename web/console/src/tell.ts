// Times, numbers and problems in the words of the screen.
import { ElMessage } from "element-plus";
import { Problem } from "./api/client.ts";
import type { WriteResult } from "./api/records.ts";
import type { By } from "./api/types.ts";
import { today } from "./days.ts";
import { clockAt, dayAt } from "@shared/forms/days.ts";
import { MESSAGES } from "@shared/forms/messages.ts";
import { language, t, word } from "./words/index.ts";

/** An instant as the day and minute that it was in the communities; a day stays a day. */
export function when(iso: string | null | undefined): string {
  if (!iso) return "";
  if (/^\d{4}-\d{2}-\d{2}$/.test(iso)) return iso;
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : `${dayAt(at)} ${clockAt(at)}`;
}

export function day(iso: string | null | undefined): string {
  if (!iso) return "";
  if (/^\d{4}-\d{2}-\d{2}$/.test(iso)) return iso;
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : dayAt(at);
}

export function ago(iso: string | null | undefined): string {
  if (!iso) return "";
  const days = (Date.parse(today()) - Date.parse(day(iso))) / 86_400_000;
  if (days <= 0) return t("common.today");
  return days === 1 ? t("common.yesterday") : t("common.daysAgo", { n: days });
}

export function number(n: number | null | undefined, digits = 0): string {
  if (n === null || n === undefined) return "–";
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(n);
}

/** What something wins (+) or loses (-). */
export function signed(n: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits, signDisplay: "exceptZero" }).format(n);
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  // 99.6 % must not read as 100 %: what is missing stays visible.
  const cut = share < 1 ? Math.floor(share * 1000) / 10 : 100;
  return `${cut}%`;
}

export function who(by: By | null | undefined): string {
  return by?.name ?? by?.label ?? t("common.machine");
}

const KNOWN: Record<string, string> = {
  "no-connection": "noConnection",
  "wrong-credentials": "wrongCredentials",
  "account-locked": "accountLocked",
  "slow-down": "slowDown",
  "outside-your-scope": "outsideScope",
  "not-found": "notFound",
  "invalid-input": "invalidInput",
  "invalid-cells": "invalidCells",
  "already-exists": "alreadyExists",
  "malformed-body": "malformedBody",
  "body-too-large": "bodyTooLarge",
  "unsupported-body": "unsupportedBody",
  busy: "busy",
  "publishing-failed": "publishingFailed",
};

/** What is wrong with one field, in the language of the screen. */
export function fault(one: { code: string; message: string }): string {
  const words = MESSAGES[one.code];
  if (!words || language.value === "en") return one.message;
  return words[0].replace("{limit}", /-?[\d.]+/.exec(one.message)?.[0] ?? "");
}

/** A problem in one sentence. */
export function why(error: unknown): string {
  if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error);
  // A proxy in between answers without words of ours.
  if (error.status >= 500 && KNOWN[error.slug] === undefined) return t("problems.atServer", { n: error.status });
  if (error.status === 404 && error.slug === "") return t("problems.notYet");
  const told = error.errors.find((one) => word(`problems.code_${one.code}`, "") !== "");
  if (told) return t(`problems.code_${told.code}`);
  const known = KNOWN[error.slug];
  const faulty = error.errors.find((one) => MESSAGES[one.code]);
  if (known !== undefined && faulty) return t("problems.because", { what: t(`problems.${known}`), why: fault(faulty) });
  if (known !== undefined && (error.slug !== "invalid-input" || error.errors.length > 0 || language.value !== "en")) return t(`problems.${known}`);
  // The server names every problem in both languages; what it adds in detail is English.
  const title = language.value === "en" ? null : error.document.title_zh;
  return typeof title === "string" ? title : error.message;
}

export function complain(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  ElMessage({ type: "error", message: why(error), grouping: true, showClose: true, duration: 6000 });
}

export function cheer(message: string): void {
  ElMessage({ type: "success", message, grouping: true });
}

const WRITTEN = ["applied", "merged", "unchanged"];

interface Told {
  results: readonly { now: Pick<WriteResult["results"][number]["now"], "outcome"> }[];
}

/** Whether everything of it stands now. */
export const isWritten = (told: Told): boolean => told.results.every((one) => WRITTEN.includes(one.now.outcome));

/** Of a request to somebody else: it waits there, which is what was asked for. */
export const ASKED = [...WRITTEN, "held"];

/** What became of what somebody wrote: `done` instead of the usual words where it is as it should be, one of `fine`. Only that looks like success, and is true. */
export function tellOutcome(told: Told, done?: string, fine: readonly string[] = WRITTEN): boolean {
  // The worst of several: what was not written must not hide behind what was.
  const order = ["quarantined", "erased", "held", "conflict", ...WRITTEN].filter((one) => !fine.includes(one));
  const outcomes = told.results.map((one) => one.now.outcome);
  const outcome = order.find((one) => outcomes.includes(one)) ?? outcomes[0] ?? "applied";
  const words = word(`records.outcome_${outcome}`, outcome);
  const isFine = fine.includes(outcome);
  if (isFine) cheer(done ?? words);
  else ElMessage({ type: outcome === "conflict" || outcome === "held" ? "warning" : "error", message: words, grouping: true, showClose: true, duration: 6000 });
  return isFine;
}

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  cheer(t("common.copied"));
}
