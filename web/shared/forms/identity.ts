// Resident ID numbers and unified social credit codes: only what the number itself proves.
// The twin of forms/identity.py; both pass tests/vectors/forms/{resident_id,credit_code}.json.

const ID_SHAPE = /^[0-9]{17}[0-9X]$/;
const ID_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const ID_CHECK = "10X98765432";
const CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY";
const CREDIT_WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const CREDIT_SHAPE = /^[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether `YYYY-MM-DD` of ASCII digits is a real day of the years 1 to 9999. */
export function isDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const year = Number(text.slice(0, 4));
  const month = Number(text.slice(5, 7));
  const day = Number(text.slice(8));
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 && isLeap ? 29 : (DAYS[month - 1] as number));
}

/** Birth date in a correct number (18 characters, capital X) as `YYYY-MM-DD`, else null. */
export function residentIdBirth(number: string): string | null {
  if (!ID_SHAPE.test(number)) return null;
  let sum = 0;
  for (let at = 0; at < 17; at++) sum += (number.charCodeAt(at) - 48) * (ID_WEIGHTS[at] as number);
  if (ID_CHECK[sum % 11] !== number[17]) return null;
  const day = `${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}`;
  return isDay(day) ? day : null;
}

/** Whether the check character is right and the date real. */
export const residentIdOk = (number: string): boolean => residentIdBirth(number) !== null;

/** Code of GB/T 2261.1 in a correct number, `1` or `2`, else null. */
export function residentIdSex(number: string): string | null {
  if (residentIdBirth(number) === null) return null;
  return Number(number[16]) % 2 ? "1" : "2";
}

/** Whether a code of 18 characters has the right shape and check character. */
export function creditCodeOk(code: string): boolean {
  if (!CREDIT_SHAPE.test(code)) return false;
  let sum = 0;
  for (let at = 0; at < 17; at++) sum += CREDIT_ALPHABET.indexOf(code[at] as string) * (CREDIT_WEIGHTS[at] as number);
  return CREDIT_ALPHABET[(31 - (sum % 31)) % 31] === code[17];
}
