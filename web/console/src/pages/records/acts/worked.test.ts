// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { FieldDefinition } from "@shared/engine/reference-types.ts";
import { t } from "../../../words/index.ts";
import { readable } from "./worked.ts";

test("what is worked out reads as people say it", () => {
  const field = (type: string) => ({ name: "n", type, label: { zh: "", en: "" }, privacy: "internal" }) as FieldDefinition;
  expect([readable(field("decimal"), 25), readable(field("decimal"), undefined), readable(field("boolean"), true), readable(field("boolean"), false), readable(field("text"), "干旱")]).toEqual(["25", "—", t("common.yes"), t("common.no"), "干旱"]);
});
