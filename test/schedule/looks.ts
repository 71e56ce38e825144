/**
 * Looks at a clock, told in a line.
 */

const minute = 60_000;
const day = 24 * 60 * minute;

/**
 * `12:00-12:31 > 13:32-14:00` in UTC: a look a minute, a second after each where no second is given, and `>` where the clock is
 * changed. `+1d` in front of a stretch puts it on the next day.
 */
export function looksOf(text: string, onDay: string): number[] {
  return text.split(" > ").flatMap((stretch) => {
    const [, days, from = "", to = from] = /^(?:([+-]\d+)d )?([\d:.]+)(?:-([\d:.]+))?$/.exec(stretch) ?? [];
    const at = (time: string) =>
      Date.parse(`${onDay}T${time.length > 5 ? time : `${time}:01`}Z`) + Number(days ?? 0) * day;
    const looks: number[] = [];
    for (let now = at(from); now <= at(to); now += minute) looks.push(now);
    return looks;
  });
}
