// Forms, code lists and the published cells: asked once, kept while the page is open.
import { shallowRef, watch } from "vue";
import { address, get } from "./api/client.ts";
import type { CellFeature, CodeEntry, Community, Form, FormField, Label, Reference } from "./api/types.ts";
import { turns } from "./latest.ts";
import { communityId, ofTheHouse, user } from "./session.ts";
import { comma, language, say, t } from "./words/index.ts";

export const reference = shallowRef<Reference | null>(null);
/** Those that somebody above the communities may choose among. */
export const communities = shallowRef<Community[]>([]);
let under: Promise<Reference> | null = null;
const turn = turns();

/** The reference data of the community; `again` after a new edition was published. */
export function loadReference(again = false): Promise<Reference> {
  if (again || under === null) {
    const lasts = turn();
    const query = ofTheHouse.value ? communityId.value : "";
    under = get<Reference>(address("/api/v1/reference", { community_id: query })).then((read) => {
      // Another community, or somebody else, was asked for meanwhile: nobody is shown these cells.
      if (!lasts()) return read;
      communities.value = read.communities ?? [];
      return (reference.value = read);
    });
    under.catch(() => lasts() && (under = null));
  }
  return under;
}

watch([user, communityId], () => {
  turn();
  under = null;
  reference.value = null;
});

/** The cells of the base layer. */
export function baseCells(): CellFeature[] {
  return (reference.value?.cells.features ?? []).filter((cell) => (cell.properties.layer ?? "base") === "base");
}

export function cellName(code: string | null | undefined): string {
  if (!code) return "";
  if (code === "~unplaced") return t("common.unplaced");
  const found = reference.value?.cells.features.find((cell) => cell.properties.code === code || cell.id === code);
  return String(found?.properties.name ?? code);
}

export function formOf(type: string): Form | null {
  return reference.value?.forms[type] ?? null;
}

export function fieldOf(type: string, name: string): FormField | null {
  return formOf(type)?.fields.find((field) => field.name === name) ?? null;
}

/** Units of a record by their labels, one without a label of its own by its fields. */
export function unitsText(type: string, names: readonly string[]): string {
  const label = (name: string) => say(fieldOf(type, name)?.label, name);
  return names
    .map((name) => {
      const unit = formOf(type)?.units?.find((one) => one.name === name);
      return say(unit?.label, unit ? unit.fields.map(label).join(comma()) : label(name));
    })
    .join(comma());
}

export function typeLabel(type: string): Label | null {
  return formOf(type)?.label ?? null;
}

/** A text that the server gives in Chinese alone, in the language of the screen where it is the label of a code. */
export function codeText(type: string, field: string, text: string): string {
  const list = language.value === "en" ? fieldOf(type, field)?.codelist : undefined;
  return (list && codesOf(list).find((one) => one.label.zh === text)?.label.en) || text;
}

/** The codes of a list in their own order, retired ones left out. */
export function codesOf(list: string): { code: string; label: Label }[] {
  const document = reference.value?.codelists[list];
  const entries: CodeEntry[] = document?.entries ?? document?.codes ?? [];
  return entries
    .filter((entry) => !entry.retired)
    .map((entry) => ({ code: entry.code, label: entry.label ?? { zh: entry.zh ?? entry.code, en: entry.en ?? entry.code } }));
}
