// For tests: the vectors that programs of every language read.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Definition, Reference, Codelist } from "./engine/reference-types.ts";

const here = import.meta.url; // by its name: what is made for a page would take the folder for one of the page's files
const root = fileURLToPath(new URL("../../", here));

/** A file of tests/vectors. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(`${root}tests/vectors/${path}`, "utf8")) as T;
}

interface Texts {
  text: string;
}

/** The built-in forms and code lists as the server delivers them: the definitions, with the tree of every expression. */
export function builtInForms(): Pick<Reference, "forms" | "codelists"> {
  const trees = vectors<{ trees: Record<string, unknown> }>("expressions/definitions.json").trees;
  const forms: Record<string, Definition> = {};
  for (const file of readdirSync(`${root}forms/definitions`)) {
    const form = JSON.parse(readFileSync(`${root}forms/definitions/${file}`, "utf8"), (key, value: unknown) => {
      if ((key === "relevant" || key === "calculation" || key === "holds") && typeof value === "string") return { text: value, tree: trees[value] };
      if (key === "constraint") return { ...(value as Texts), tree: trees[(value as Texts).text] };
      return value;
    }) as Definition;
    forms[form.name] = form;
  }
  const codelists: Record<string, Codelist> = {};
  for (const file of readdirSync(`${root}forms/codelists`)) {
    const list = JSON.parse(readFileSync(`${root}forms/codelists/${file}`, "utf8")) as Codelist;
    codelists[list.name] = list;
  }
  return { forms, codelists };
}
