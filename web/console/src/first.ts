// The first figures are asked for as soon as it is known who asks, while the page that shows them is still being read.
import { get } from "./api/client.ts";
import type { Baseline } from "./api/types.ts";
import { communityOf, may, onKnown } from "./session.ts";

let ahead: { community: string; told: Promise<Baseline> } | null = null;

const overview = (community: string) => get<Baseline>(`/api/v1/communities/${community}/overview`);

/** Ask ahead when somebody of one community opens the start page; what fails is told to the page that takes it. */
export function askAhead(): void {
  onKnown((who) => {
    onKnown(() => undefined);
    if (!communityOf(who) || !may("baseline", who)) return;
    const told = overview(communityOf(who));
    told.catch(() => undefined);
    ahead = { community: communityOf(who), told };
  });
}

/** The overview of a community: what was asked ahead, once, else asked now. */
export function overviewOf(community: string): Promise<Baseline> {
  const told = ahead?.community === community ? ahead.told : overview(community);
  ahead = null;
  return told;
}

/** Who went elsewhere before the start page stood: what was asked for it would be of then when they come back. */
export function forgetAhead(): void {
  ahead = null;
}
