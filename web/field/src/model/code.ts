// The one-time code in what was typed, pasted or scanned.

const CODE = /(?:^|[^0-9A-Z])([0-9A-Z]{4})[-\s]?([0-9A-Z]{4})[-\s]?([0-9A-Z]{4})(?![0-9A-Z])/;
const GIVEN = /[?&]code=([^&#\s]*)/i;
const ADDRESS = /[a-z]+:\/\/[!-~]+/gi;

/** `XXXX-XXXX-XXXX`; null where there is none. What an address gives as its `code` goes first; a server's name and path are never taken for one. */
export function codeIn(text: string): string | null {
  const given = GIVEN.exec(text)?.[1];
  const [, ...parts] = CODE.exec((given ?? text.replace(ADDRESS, " ")).toUpperCase()) ?? [];
  return parts.length ? parts.join("-") : null;
}
