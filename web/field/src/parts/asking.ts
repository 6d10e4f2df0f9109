// A question with two answers; Back leaves nothing but the question, and answers it by what changes nothing.
import { closeDialog, showConfirmDialog } from "vant/es/dialog";
import { t } from "../i18n.ts";
import { layer } from "../model/layers.ts";

let open: (() => void) | null = null;

/** True for `yes`. `back`: what Back answers, and a lock. */
export function asks({ title, message, yes, no = t("app.cancel"), back = false }: { title?: string; message: string; yes: string; no?: string; back?: boolean }): Promise<boolean> {
  return new Promise((resolve) => {
    const close = (): void => {
      answer(back);
      closeDialog();
    };
    const gone = layer(close);
    const answer = (is: boolean): void => {
      gone();
      if (open === close) open = null;
      resolve(is);
    };
    open = close;
    showConfirmDialog({ ...(title === undefined ? {} : { title }), message, confirmButtonText: yes, cancelButtonText: no, closeOnPopstate: false }).then(() => answer(true), () => answer(false));
  });
}

/** The phone was locked: a question hangs beside the app, and would stand over the lock. */
export const closeQuestion = (): void => open?.();
