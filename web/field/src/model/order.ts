/** `2` before `10`, whatever stands around the number. */
export function byNumber(a: string, b: string): number {
  return a.localeCompare(b, "zh", { numeric: true });
}
