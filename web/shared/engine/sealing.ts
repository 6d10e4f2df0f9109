// Sealing: every block by AES-GCM under one data key; that key sealed under a key made of the PIN (PBKDF2).
// A PIN of six digits stops whoever picks the phone up, not whoever copies its storage and tries on another computer.

const NONCE = 12;
const DEFAULT_ROUNDS = 310_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Bytes = Uint8Array<ArrayBuffer>;

/** What was sealed cannot be opened: another key, another place, or changed bytes. */
export class SealBroken extends Error {}

export interface WrappedKey {
  salt: string;
  rounds: number;
  key: string;
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const fromBase64 = (text: string): Bytes => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

/** Key from a PIN or passphrase. */
async function stretched(secret: string, salt: Bytes, rounds: number): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(secret.normalize("NFC")), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds };
  return crypto.subtle.deriveKey(how, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** Seals bytes; `place` must be the same when they are opened. */
async function sealBytes(key: CryptoKey, content: Bytes, place: string): Promise<Bytes> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE));
  const how = { name: "AES-GCM", iv: nonce, additionalData: encoder.encode(place) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, key, content));
  const whole = new Uint8Array(NONCE + sealed.length);
  whole.set(nonce);
  whole.set(sealed, NONCE);
  return whole;
}

async function openBytes(key: CryptoKey, sealed: Bytes, place: string): Promise<Bytes> {
  const how = { name: "AES-GCM", iv: sealed.slice(0, NONCE), additionalData: encoder.encode(place) };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(how, key, sealed.slice(NONCE)));
  } catch {
    throw new SealBroken(place);
  }
}

const sealKey = (raw: Bytes): Promise<CryptoKey> => crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);

/** The data key in use; it never leaves this object in the clear but to be wrapped anew. */
export class Seal {
  private constructor(
    private readonly key: CryptoKey,
    private readonly raw: Bytes,
  ) {}

  /** A new data key. */
  static async fresh(): Promise<Seal> {
    const raw = crypto.getRandomValues(new Uint8Array(32));
    return new Seal(await sealKey(raw), raw);
  }

  /** The data key behind a PIN; null where the PIN is another one. */
  static async unwrap(wrapped: WrappedKey, pin: string): Promise<Seal | null> {
    const outer = await stretched(pin, fromBase64(wrapped.salt), wrapped.rounds);
    try {
      const raw = await openBytes(outer, fromBase64(wrapped.key), "key");
      return new Seal(await sealKey(raw), raw);
    } catch (error) {
      if (error instanceof SealBroken) return null;
      throw error;
    }
  }

  async wrap(pin: string, rounds = DEFAULT_ROUNDS): Promise<WrappedKey> {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const outer = await stretched(pin, salt, rounds);
    return { salt: toBase64(salt), rounds, key: toBase64(await sealBytes(outer, this.raw, "key")) };
  }

  seal(place: string, content: Bytes): Promise<Bytes> {
    return sealBytes(this.key, content, place);
  }

  open(place: string, sealed: Bytes): Promise<Bytes> {
    return openBytes(this.key, sealed, place);
  }

  sealJson(place: string, content: unknown): Promise<Bytes> {
    return this.seal(place, encoder.encode(JSON.stringify(content)));
  }

  async openJson<T>(place: string, sealed: Bytes): Promise<T> {
    return JSON.parse(decoder.decode(await this.open(place, sealed))) as T;
  }
}

const RESCUE = "dishu-rescue-1";

/** A file that only the passphrase opens. */
export async function sealFile(passphrase: string, content: unknown, rounds = DEFAULT_ROUNDS): Promise<Bytes> {
  const seal = await Seal.fresh();
  const body = await seal.sealJson(RESCUE, content);
  return encoder.encode(JSON.stringify({ format: RESCUE, key: await seal.wrap(passphrase, rounds), body: base64Of(body) })) as Bytes;
}

/** The content of such a file; null where it is none, or the passphrase is another one. */
export async function openFile<T>(passphrase: string, file: Uint8Array): Promise<T | null> {
  try {
    const outer = JSON.parse(decoder.decode(file)) as { format: string; key: WrappedKey; body: string };
    if (outer.format !== RESCUE) return null;
    const seal = await Seal.unwrap(outer.key, passphrase);
    return seal === null ? null : await seal.openJson<T>(RESCUE, fromBase64(outer.body));
  } catch {
    return null;
  }
}

function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x6000) text += toBase64(bytes.subarray(at, at + 0x6000));
  return text;
}

/** SHA-256 as hex digits: the name of a photo. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
