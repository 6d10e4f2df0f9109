// Why a job failed, in words: the code of a refusal, or the kind of error that stopped it.
import { t, word } from "../../words/index.ts";

export function failureWord(code: string): string {
  return word(`imports.error_${code}`, "") || word(`files.failed_${code}`, "") || t("files.failedOther", { code });
}
