// What is sent of a form about somebody new, and where it is told what the server refuses of it.

/** What was typed and still holds: a number says which document it is of, and no reason is given for the lack of one that is there. */
export function givenOf(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const idle = values["document_number"] ? "document_missing_reason" : "document_type";
  return Object.fromEntries(Object.entries(values).filter(([name, one]) => one !== null && one !== undefined && name !== idle));
}

/** What is wrong with fields that are not in sight: told below the form, for nobody would see it beside them. */
export const unseen = (wrong: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(wrong).filter(([name]) => !names.includes(name)));
