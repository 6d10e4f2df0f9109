// Shows the server's own OpenAPI document. Text is always set as text, never as HTML.
"use strict";

const WHO = { session: "登录", device: "设备令牌", readToken: "只读令牌", readPassword: "只读令牌(Basic)" };

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function who(operation) {
  const names = (operation.security ?? []).map((way) => WHO[Object.keys(way)[0]]);
  return names.length === 0 ? "公开" : [...new Set(names)].join(" / ");
}

function shown(schema) {
  return schema && Object.keys(schema).length ? element("pre", { textContent: JSON.stringify(schema, null, 2) }) : null;
}

// Words in backquotes become code, [text](/address) becomes a link; nothing else is understood.
function prose(text) {
  const line = element("p", { lang: "en", className: "second" });
  for (const part of text.split(/(`[^`]+`|\[[^\]]+\]\(\/[^)]*\))/)) {
    const link = /^\[([^\]]+)\]\((\/[^)]*)\)$/.exec(part);
    if (link) line.append(element("a", { href: link[2], textContent: link[1] }));
    else if (part.startsWith("`")) line.append(element("code", { textContent: part.slice(1, -1) }));
    else line.append(part);
  }
  return line;
}

function parameters(list) {
  if (!list?.length) return null;
  const rows = list.map((one) =>
    element("tr", {}, element("td", {}, element("code", { textContent: one.name })),
      element("td", { textContent: one.in === "path" ? "路径" : "查询" }),
      element("td", { textContent: [one.schema?.type, one.schema?.enum?.join(" | ")].flat().filter(Boolean).join(" · ") }),
      element("td", { textContent: one.description ?? "" })));
  return element("table", {}, element("tbody", {}, ...rows));
}

function answers(responses) {
  const made = [];
  for (const [status, answer] of Object.entries(responses)) {
    const media = Object.entries(answer.content ?? {});
    const problem = media.some(([kind]) => kind.startsWith("application/problem"));
    made.push(element("h3", { textContent: `${status} ${problem ? "" : media.map(([kind]) => kind).join(", ")}` }));
    made.push(prose(answer.description ?? ""));
    if (!problem && media.length) made.push(shown(media[0][1].schema));
  }
  return made;
}

function operationElement(path, method, operation) {
  const body = element("div", { className: "body" });
  const summary = element("summary", {},
    element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    element("code", { textContent: path }), element("span", { textContent: operation.summary }),
    element("span", { className: "who", textContent: who(operation) }));
  const details = element("details", { id: operation.operationId }, summary, body);
  details.dataset.words = [method, path, operation.summary, operation.description].join(" ").toLowerCase();
  // Most operations are never opened: their bodies are made when they are.
  details.addEventListener("toggle", () => {
    if (!details.open || body.childElementCount) return;
    for (const text of (operation.description ?? "").split("\n\n")) body.append(prose(text));
    const table = parameters(operation.parameters);
    if (table) body.append(element("h3", { textContent: "参数" }), table);
    for (const [kind, content] of Object.entries(operation.requestBody?.content ?? {})) {
      body.append(element("h3", { textContent: `请求内容 ${kind}` }));
      const schema = shown(content.schema);
      if (schema) body.append(schema);
    }
    body.append(...answers(operation.responses).filter((child) => child !== null));
  });
  return details;
}

function show(api) {
  document.getElementById("version").textContent = `${api.info.version} · OpenAPI ${api.openapi}`;
  const chapters = document.getElementById("chapters");
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [place, tag] of api.tags.entries()) {
    const section = element("section", { id: `chapter-${place}` }, element("h2", { textContent: tag.name }));
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags.includes(tag.name)) section.append(operationElement(path, method, operation));
      }
    }
    main.append(section);
    chapters.append(element("a", { href: `#chapter-${place}`, textContent: tag.name }));
  }
  document.getElementById("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of main.children) {
      let any = false;
      for (const details of section.querySelectorAll("details")) {
        details.hidden = !words.every((word) => details.dataset.words.includes(word));
        any ||= !details.hidden;
      }
      section.hidden = !any;
    }
  });
}

fetch("/api/v1/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
  .then(show)
  .catch(() => { document.getElementById("waiting").textContent = "接口文档读取失败，请刷新页面再试。"; });
