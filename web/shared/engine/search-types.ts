/** How to search. */
export interface SearchOptions {
  /** Record types to look at; without it persons, households, dwellings, buildings and organizations. */
  types?: readonly string[];
  /** At most so many hits; 50 where it is left out. */
  limit?: number;
}

/** One hit of a search. */
export interface SearchHit {
  id: string;
  type: string;
  /** What to show first: a name, a door. */
  title: string;
  /** Where it is, or what else tells it apart. */
  detail: string;
  matched: "name" | "pinyin" | "phone" | "document" | "address" | "number";
}
