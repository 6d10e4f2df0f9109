// What the audit log says that something was done for: the program's own short notes in the language of the screen, people's words as they are.
import { questions } from "../../questions.ts";
import { say, t, word } from "../../words/index.ts";

const NOTES: Record<string, string> = {
  "record page": "page", "record history": "history", "placement of a record": "placement", "dry run of an edition": "dryRun", "moves of an edition": "moves",
  "import of a table": "import", "undo of an import": "undo", "download of an export": "download", "account closed": "accountClosed",
  "enrolment code made": "code", "address for ODK Collect made": "odk", "device enrolled": "enrolled", "device confirmed": "confirmed", "device forked": "forked", "read token made": "token",
  "read token": "token", "saved rosters": "saved", sign_in: "signIn", refused: "refused", find: "find", sync: "sync", "sync: disputes": "sync", photo: "photo", unmask: "unmask",
  "assignment ended": "assignmentEnded", "password set": "password", "topics set": "topics", "boundary set": "boundary", "community made": "communityMade",
  "comparison of tables": "compared", "download of a table": "table", "where a figure came from": "sources", "handover to another system": "handover", "handed over to another system": "handover",
  "due visits": "visits", "visit rules": "visitRules", "erasure preview": "erasurePreview", "survey published": "surveyPublished", "survey closed": "surveyClosed", "odk central": "odkRead", "odk collect": "odkRead",
  "device enrolled: answered again": "enrolledAgain", "house key rotated": "keyRotated", "former house keys retired": "keysRetired", "restored from a backup": "restored", backup: "backup",
  "basemap set": "basemapSet", "basemap removed": "basemapRemoved", "merge: preview": "mergePreview", export: "export", "dishu export": "export",
};
const KINDS: Record<string, string> = { roster: "roster", inbox: "inbox", question: "question", "OGC API": "ogc", "cell assigned": "assigned", "account made": "accountMade", "device revoked": "revoked", sync: "sync", count: "count", erasure: "erasure" };
const PARTS: Record<string, (name: string) => string> = {
  roster: (name) => word(`people.list_${name}`, name),
  inbox: (name) => word(`inbox.${name}`, word(`people.inbox_${name.replace(/ /g, "_")}`, name)),
  count: (name) => word(`people.list_${name}`, name),
  erasure: (name) => word(`records.eraseFor_${name}`, name),
  question: (name) => say(questions.value.find((one) => one.name === name)?.label, name),
  assigned: (name) => word(`people.duty_${name}`, name),
  accountMade: (name) => word(`common.role_${name}`, name),
  ogc: (name) => word(`files.layer_${name}`, name),
  revoked: (name) => word(`people.reason_${name}`, name),
};

export function purposeSaid(purpose: string): string {
  const note = NOTES[purpose];
  if (note) return t(`people.did_${note}`);
  const [head, tail] = [purpose.slice(0, purpose.indexOf(": ")), purpose.slice(purpose.indexOf(": ") + 2)];
  const kind = KINDS[head];
  if (!kind) return purpose;
  const part = PARTS[kind]?.(tail) ?? tail;
  return t(`people.did_${kind}`, { part });
}
