import type { FieldDefinition, Fields, Value } from "@shared/engine/index.ts";

/** What every input of a form gets. */
export interface InputProps {
  id: string;
  field: FieldDefinition;
  value: Value | undefined;
  values: Fields;
  /** As it stands in the record. */
  stored: Value | undefined;
  wrong: boolean;
  type: string;
  described?: string;
}
/** `set` the own value; `also` another field of the same fact. null clears. */
export interface InputEmits {
  set: [value: Value];
  also: [name: string, value: Value];
}
