// The shade behind a sheet is a button that closes it: it has a name.
import { t } from "../i18n.ts";

/** For `overlay-props` of a popup. */
export const overlay = (): object => ({ "aria-label": t("app.close") });
