// Uploads one file with the public client, cut off after the first piece, then resumed by a second run of the client.
// node upload_with_tus_js_client.mjs URL DEVICE_TOKEN FILE SHA256
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../web/package.json", import.meta.url));
const tus = require("tus-js-client");
const [url, token, path, sha256] = process.argv.slice(2);
const content = readFileSync(path);

function options(more) {
  return {
    endpoint: `${url}/api/v1/blobs`,
    chunkSize: Math.ceil(content.length / 4),
    retryDelays: null,
    headers: { Authorization: `Bearer ${token}` },
    metadata: { sha256, filetype: "image/jpeg" },
    ...more,
  };
}

const uploadUrl = await new Promise((resolve, reject) => {
  const first = new tus.Upload(content, options({
    onError: reject,
    onSuccess: () => reject(new Error("the first run was to be cut off")),
    onChunkComplete: () => first.abort().then(() => resolve(first.url), reject),
  }));
  first.start();
});

const asked = [];
await new Promise((resolve, reject) => {
  new tus.Upload(content, options({
    uploadUrl,
    onBeforeRequest: (request) => asked.push(request.getMethod()),
    onChunkComplete: (size) => asked.push(size),
    onError: reject,
    onSuccess: resolve,
  })).start();
});
console.log(JSON.stringify({ asked, length: content.length }));
