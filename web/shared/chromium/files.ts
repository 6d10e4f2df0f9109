// What tests read from, and write into, the project's folder, as Node's modules `fs` and `url` give it.

const texts = import.meta.glob<string>(["../../../tests/vectors/**/*.json", "../../../forms/{definitions,codelists,rules}/*.json"], { query: "?raw", import: "default", eager: true });
const files = new Map(Object.entries(texts).map(([name, text]) => [name.replace("../../../", "/"), text]));

export const fileURLToPath = (address: URL): string => address.pathname;

/** Throws for what is not there. */
export function readFileSync(name: string | URL): string {
  const found = files.get(String(name).replace("file://", ""));
  if (found === undefined) throw new Error(`no such file: ${String(name)}`);
  return found;
}

/** Kept beside them, until the page goes. */
export const writeFileSync = (name: string, text: string): void => void files.set(name, text);

export function readdirSync(folder: string): string[] {
  const inside = [...files.keys()].filter((name) => name.startsWith(`${folder}/`));
  if (!inside.length) throw new Error(`no such folder: ${folder}`);
  return inside.map((name) => name.slice(folder.length + 1));
}
