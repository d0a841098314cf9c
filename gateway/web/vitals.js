/** How a sensor is, from its newest samples: noise floor, clock, supply. */

import { cleaned } from "./columns.js";
import { CLOCK_UNSYNCED, figure } from "./words.js";

const NORMAL = 1.4826;
const FEWEST = 20;

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** Standard deviation of one sample's noise, from the median of the changes from one to the next; null when there are too few. */
export function noiseFloor(y) {
  const changes = y.slice(1).map((value, i) => value - y[i]).filter((change) => !Number.isNaN(change));
  if (changes.length < FEWEST) return null;
  const centre = middle([...changes]);
  return (NORMAL * middle(changes.map((change) => Math.abs(change - centre)))) / Math.SQRT2;
}

const isSupply = ({ name, unit }) => unit === "V" || /supply|batter/i.test(name);
const isField = ({ unit }) => /T$/.test(unit);
const newest = (column) => column.findLast((value) => value !== null);

/** `[term, text, worry]` of one sensor, from a series of its last minutes at full rate. */
export function vitals(series) {
  const told = [];
  const noise = series.channels.map((channel, c) => [channel, isField(channel) ? noiseFloor(cleaned(series, c).y) : null]).filter(([, value]) => value !== null);
  if (noise.length) told.push(["Noise floor", noise.map(([{ name }, value]) => `${name}\u00a0${figure(value, value < 0.1 ? 3 : 2)}`).join(", ") + ` ${noise[0][0].unit}`]);
  const { flags } = series;
  if (flags.length) {
    const loose = flags.filter((flag) => flag & CLOCK_UNSYNCED).length / flags.length;
    told.push(["Clock", loose === 0 ? "synchronised" : `not synchronised, ${Math.round(100 * loose)} % of the samples`, loose > 0]);
  }
  series.channels.forEach((channel, c) => {
    if (isField(channel)) return;
    const value = newest(series.values[c]);
    if (value !== undefined) told.push([isSupply(channel) ? `Supply (${channel.name})` : channel.name, `${figure(value, 2)} ${channel.unit}`]);
  });
  return told;
}
