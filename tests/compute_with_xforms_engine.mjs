// What ODK's own form engine computes: reads JSON {forms: [{xml, answers: [{question: text}]}]} from standard input,
// fills the answers of each round into the form, and prints the texts of every calculated node, round by round.
import { createRequire } from "node:module";

const web = new URL("../web/package.json", import.meta.url);
const require = createRequire(web);
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("", { url: "http://localhost/" });
for (const name of Object.getOwnPropertyNames(window)) {
  if (/^[A-Z]/.test(name) && !(name in globalThis)) globalThis[name] = window[name];
}
Object.assign(globalThis, { window, document: window.document, require, __dirname: new URL(".", web).pathname });
const { loadForm } = await import(require.resolve("@getodk/xforms-engine"));

function answer(node, text) {
  if (node.nodeType === "select") node.selectValues ? node.selectValues(text === "" ? [] : text.split(" ")) : node.selectValue(text);
  else node.setValue(text);
}

async function computed({ xml, answers }) {
  const loaded = await loadForm(xml, { fetchFormAttachment: async () => new Response("") });
  if (loaded.status === "failure") throw loaded.error;
  const rounds = [];
  for (const round of answers) {
    const { root } = loaded.createInstance();
    const children = new Map(root.currentState.children.map((node) => [node.definition.qualifiedName?.localName ?? node.definition.nodeName, node]));
    for (const [name, text] of Object.entries(round)) if (text !== "") answer(children.get(name), text);
    const made = new window.DOMParser().parseFromString(root.instanceState.instanceXML, "text/xml").documentElement;
    rounds.push(Object.fromEntries([...made.children].map((node) => [node.localName, node.textContent])));
  }
  return rounds;
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { forms } = JSON.parse(Buffer.concat(chunks).toString());
const told = [];
for (const form of forms) told.push(await computed(form));
process.stdout.write(JSON.stringify(told), () => process.exit(0));
