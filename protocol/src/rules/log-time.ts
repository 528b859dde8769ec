/** Dates as integers, without clock or locale (rule X2). Only one spelling each is understood. */
const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const INSTANT = /^([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,3}))?Z$/;
const DAY_MS = 86_400_000;

/** Days since 1970-01-01, or undefined when there is no such day. */
export const dayNumber = (text: string): number | undefined => {
  if (!DAY.test(text)) return undefined;
  const [year, month, day] = text.split('-').map(Number) as [number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists ? date.getTime() / DAY_MS : undefined;
};

/** RFC 3339 in UTC ("Z") with at most milliseconds -> milliseconds since 1970, never negative (statements hold it as u64); or undefined. */
export const instantMs = (text: string): number | undefined => {
  const match = INSTANT.exec(text);
  const day = match && dayNumber(match[1]!);
  if (!match || day === undefined || day === null || day < 0) return undefined;
  const [hours, minutes, seconds] = match.slice(2, 5).map(Number) as [number, number, number];
  return day * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000 + Number((match[5] ?? '').padEnd(3, '0'));
};
