// One envelope of unsent work, sealed to the server's public key (docs/protocol.md, section 5, Sealed sending): what the
// phone itself cannot open again. tests/vectors/envelope.

type Bytes = Uint8Array<ArrayBuffer>;

const LABEL = "dishu-outbox-1";
const FORMAT = 1;
const CURVE = { name: "ECDH", namedCurve: "P-256" } as const;
const encoder = new TextEncoder();

const utf8 = (text: string): Bytes => encoder.encode(text) as Bytes;

function joined(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** base64url without padding. */
export function toText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x6000) text += btoa(String.fromCharCode(...bytes.subarray(at, at + 0x6000)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export const toBytes = (text: string): Bytes => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

/** What an envelope is bound to. */
export interface Bound {
  installId: string;
  firstN: number;
  lastN: number;
}

/** The envelope of `plain` (UTF-8 JSON) for the holder of `serverKey`. `own`: an ephemeral key pair, given by tests only. */
export async function sealEnvelope(serverKey: string, plain: string, bound: Bound, own?: CryptoKeyPair): Promise<string> {
  const { subtle } = crypto;
  const serverPoint = toBytes(serverKey);
  const server = await subtle.importKey("raw", serverPoint, CURVE, false, []);
  const pair = own ?? (await subtle.generateKey(CURVE, true, ["deriveBits"]));
  const point = new Uint8Array(await subtle.exportKey("raw", pair.publicKey));
  const shared = await subtle.deriveBits({ name: "ECDH", public: server }, pair.privateKey, 256);
  const base = await subtle.importKey("raw", shared, "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: joined(point, serverPoint), info: utf8(LABEL) };
  const bits = new Uint8Array(await subtle.deriveBits(how, base, 44 * 8));
  const key = await subtle.importKey("raw", bits.slice(0, 32), "AES-GCM", false, ["encrypt"]);
  const place = utf8([LABEL, bound.installId, String(bound.firstN), String(bound.lastN)].join("\0"));
  const sealed = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv: bits.slice(32), additionalData: place }, key, utf8(plain)));
  const keyId = new Uint8Array(await subtle.digest("SHA-256", serverPoint)).slice(0, 8);
  return toText(joined(Uint8Array.of(FORMAT), keyId, point, sealed));
}
