// Workers who fill in forms of the served program with ODK's own form engine, and send them at the same moment.
// Reads JSON {workers: [{base, device, form, answers, members?}]} from standard input; prints what each was told.
// The list of forms, the manifest and the lists are fetched as Collect does; the engine makes the XML that is sent.
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

// The engine works for seconds between two requests: a connection that was kept would have been closed meanwhile.
const headers = { "X-OpenRosa-Version": "1.0", Connection: "close" };

async function got(url) {
  const answer = await fetch(url, { headers });
  if (!answer.ok || answer.headers.get("X-OpenRosa-Version") !== "1.0") throw new Error(`${answer.status} ${await answer.text()}`);
  return answer;
}

async function parsed(url) {
  return new window.DOMParser().parseFromString(await (await got(url)).text(), "text/xml");
}

const said = (node, name) => node.getElementsByTagName(name)[0].textContent;

/** A form as Collect opens it: from the list, with the files of its manifest. */
async function opened({ base, form }) {
  const [listed] = (await parsed(`${base}/formList?formID=${form}`)).getElementsByTagName("xform");
  const files = {};
  for (const file of (await parsed(said(listed, "manifestUrl"))).getElementsByTagName("mediaFile")) {
    files[said(file, "filename")] = await (await got(said(file, "downloadUrl"))).text();
  }
  const loaded = await loadForm(await (await got(said(listed, "downloadUrl"))).text(), {
    fetchFormAttachment: async (url) => new Response(files[String(url).split("/").pop()], { headers: { "Content-Type": "text/csv" } }),
  });
  if (loaded.status === "failure") throw loaded.error;
  return loaded.createInstance().root;
}

function find(node, name) {
  for (const child of node.currentState.children ?? []) {
    if (child.definition?.qualifiedName?.localName === name || child.definition?.nodeName === name) return child;
    const below = child.nodeType?.startsWith("repeat-range") ? undefined : find(child, name);
    if (below) return below;
  }
  return undefined;
}

/** Answers in their order: choosing a record fills in the questions behind it. */
function fill(scope, answers) {
  for (const [name, value] of Object.entries(answers)) {
    const node = find(scope, name);
    if (!node) throw new Error(`no question ${name}`);
    if (node.nodeType === "select") node.selectValue(value);
    else node.setValue(value);
  }
}

async function filled(worker) {
  const root = await opened(worker);
  fill(root, worker.answers);
  const range = worker.members && find(root, "member");
  worker.members?.forEach((answers, place) => {
    if (place > 0) range.addInstances();
    fill(range.currentState.children[place], answers);
  });
  const payload = await root.prepareInstancePayload({ payloadType: "monolithic" });
  if (payload.status !== "ready") throw new Error(`not ready: ${payload.violations.map((one) => one.reference)}`);
  return payload.data[0].get("xml_submission_file");
}

async function sent({ base, device }, file) {
  const body = new FormData();
  body.set("xml_submission_file", new Blob([await file.text()], { type: "text/xml" }), "submission.xml");
  const asked = await fetch(`${base}/submission?deviceID=${device}`, { method: "HEAD", headers });
  const answer = await fetch(`${base}/submission?deviceID=${device}`, { method: "POST", headers, body });
  return { head: asked.status, status: answer.status, text: await answer.text(), xml: await file.text() };
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { workers } = JSON.parse(Buffer.concat(chunks).toString());
const files = await Promise.all(workers.map(filled));
const told = await Promise.all(workers.map((worker, place) => sent(worker, files[place])));
process.stdout.write(JSON.stringify(told));
process.exit(0);
