/** The text columns that people search a list by, the first that it has: a name, a head, an address. */
export const SEARCHED: readonly string[] = ["name", "head_name", "member_name", "address_text"];
