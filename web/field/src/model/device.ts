// What the office reads in its list of phones: so much that somebody can tell theirs from the next one's.

/** Android calls itself a Linux, too: it comes first. */
const SYSTEMS = ["Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux"];

interface Hints {
  getHighEntropyValues(asked: string[]): Promise<{ model?: string }>;
}

/** `Redmi Note 9 · Android`: the model where the browser says it, by itself or among what it always tells; else the system alone. */
export async function deviceLabel(): Promise<string> {
  const { userAgent, userAgentData } = navigator as Navigator & { userAgentData?: Hints };
  const told = await userAgentData?.getHighEntropyValues(["model"]).catch(() => null);
  const system = SYSTEMS.find((one) => userAgent.includes(one)) ?? "Browser";
  // Newer browsers write K where the model stood; some add the build behind it, makers' own ones the language before it.
  const [, written = ""] = /; Android [\d.]+; (?:[a-z]{2}[-_][A-Za-z]{2}; ?)?([^;)]+?)(?: Build\/[^;)]*)?[;)]/.exec(userAgent) ?? [];
  const model = told?.model || (written === "K" ? "" : written);
  return [model, system].filter(Boolean).join(" · ");
}
