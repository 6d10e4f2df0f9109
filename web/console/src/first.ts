// The first figures are asked for as soon as it is known who asks, while the page that shows them is still being read.
import { get } from "./api/client.ts";
import type { Baseline } from "./api/types.ts";
import { onKnown } from "./session.ts";

let ahead: { community: string; told: Promise<Baseline> } | null = null;

const overview = (community: string) => get<Baseline>(`/api/v1/communities/${community}/overview`);

/** Ask ahead when somebody of one community opens the start page; what fails is told to the page that takes it. */
export function askAhead(): void {
  onKnown((who) => {
    onKnown(() => undefined);
    if (who.community_id.startsWith("~")) return;
    const told = overview(who.community_id);
    told.catch(() => undefined);
    ahead = { community: who.community_id, told };
  });
}

/** The overview of a community: what was asked ahead, once, else asked now. */
export function overviewOf(community: string): Promise<Baseline> {
  const told = ahead?.community === community ? ahead.told : overview(community);
  ahead = null;
  return told;
}
