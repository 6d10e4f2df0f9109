// How the phone reaches the server: JSON over fetch, larger bodies compressed where the browser can.

import { Offline, type Answer, type Transport } from "./parts-types.ts";

const COMPRESS_FROM_BYTES = 512;

async function compressed(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof CompressionStream === "undefined") {
    const { gzipSync } = await import("fflate"); // browsers before 2020
    return gzipSync(content) as Uint8Array<ArrayBuffer>;
  }
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** HTTP to one server. `base` is its address with or without a path, `""` for the one that the page came from. */
export function httpTransport(base: string, { timeoutMs = 60_000 }: { timeoutMs?: number } = {}): Transport {
  const prefix = base.replace(/\/+$/, "");
  return {
    async request(method, path, { body, token, headers = {} }): Promise<Answer> {
      const sent: Record<string, string> = { accept: "application/json", ...headers };
      if (token !== undefined) sent["authorization"] = `Bearer ${token}`;
      let content: Uint8Array<ArrayBuffer> | null = null;
      if (body !== undefined) {
        const isFile = body instanceof Uint8Array;
        content = isFile ? (body as Uint8Array<ArrayBuffer>) : new TextEncoder().encode(JSON.stringify(body));
        sent["content-type"] ??= "application/json";
        if (!isFile && content.length >= COMPRESS_FROM_BYTES) {
          content = await compressed(content);
          sent["content-encoding"] = "gzip";
        }
      }
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), timeoutMs);
      try {
        const answer = await fetch(prefix + path, { method, headers: sent, body: content, signal: abort.signal, cache: "no-store", credentials: "omit", redirect: "error" });
        const received = new Uint8Array(await answer.arrayBuffer());
        const told = Number(answer.headers.get("content-length"));
        const type = answer.headers.get("content-type") ?? "";
        return {
          status: answer.status,
          headers: Object.fromEntries(answer.headers),
          body: parsed(received, type),
          ...(type.includes("json") ? {} : { content: received }),
          bytesDown: told > 0 ? Math.min(told, received.length) : received.length,
          bytesUp: content?.length ?? 0,
        };
      } catch {
        throw new Offline("no whole answer arrived");
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function parsed(content: Uint8Array, type: string): Record<string, unknown> {
  if (!content.length || !type.includes("json")) return {};
  const body: unknown = JSON.parse(new TextDecoder().decode(content));
  return typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Record<string, unknown>) : {};
}
