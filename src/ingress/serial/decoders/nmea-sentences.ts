// The sentences we know, as data: which cell holds what. Cells are counted from 1, behind the address (`$GPGGA` is cell 0).
//
//   $GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47
//          1 time 2 ─ lat ─3 4 ── lon ── 5 6  7   8   9        11
//
// Source: NMEA 0183 as gpsd documents it ("NMEA Revealed", E. S. Raymond). Numbers keep the digits they were written with.

import { type Field, plainField } from "./field.ts";

/**
 * How a cell is read. `number`, `text`. `time`: hhmmss.ss as 12:35:19.00. `date`: ddmmyy as 1994-03-23. `position`: ddmm.mmm and the
 * cell behind it, N, S, E or W, as degrees. `turned`: a number, negative if the cell behind it says W or L. `by_unit`: a number whose
 * unit the cell behind it says. `flag_list`: the cells up to `to` that are not empty, as a list.
 */
export type CellKind = "number" | "text" | "time" | "date" | "position" | "turned" | "by_unit" | "list";

export interface SentenceCell {
  readonly kind: CellKind;
  readonly at: number;
  /** For `list`: its last cell. */
  readonly to: number;
  readonly field: Field;
  /** For `by_unit`: the same field in each unit, by its letter. */
  readonly byUnit: ReadonlyMap<string, Field>;
}

/** One kind of sentence, its fields ready. */
export interface SentenceForm {
  readonly cells: readonly SentenceCell[];
  readonly layout: readonly Field[];
}

const NO_UNITS: ReadonlyMap<string, Field> = new Map();

function cell(kind: CellKind, name: string, at: number, unit: string | null = null, to = at): SentenceCell {
  return { kind, at, to, field: plainField(name, unit), byUnit: NO_UNITS };
}

const number = (name: string, at: number, unit: string | null = null) => cell("number", name, at, unit);
const text = (name: string, at: number) => cell("text", name, at);
const time = (at: number) => cell("time", "time", at);
const latitude = (at: number) => cell("position", "latitude", at, "°");
const longitude = (at: number) => cell("position", "longitude", at, "°");
const turned = (name: string, at: number) => cell("turned", name, at, "°");

function byUnit(name: string, at: number, units: Readonly<Record<string, string>>): SentenceCell {
  const fields = Object.entries(units).map(([letter, unit]): [string, Field] => [letter, plainField(name, unit)]);
  return { ...cell("by_unit", name, at), byUnit: new Map(fields) };
}

/** Made anew for each decoder: its fields are the keys of what is remembered for them. */
export function knownSentences(): ReadonlyMap<string, SentenceForm> {
  const forms = Object.entries({
    GGA: [
      time(1),
      latitude(2),
      longitude(4),
      number("quality", 6),
      number("satellites", 7),
      number("hdop", 8),
      number("altitude", 9, "m"),
      number("geoid_separation", 11, "m"),
      number("dgps_age", 13, "s"),
      text("dgps_station", 14),
    ],
    GLL: [latitude(1), longitude(3), time(5), text("status", 6), text("mode", 7)],
    GNS: [
      time(1),
      latitude(2),
      longitude(4),
      text("mode", 6),
      number("satellites", 7),
      number("hdop", 8),
      number("altitude", 9, "m"),
      number("geoid_separation", 10, "m"),
    ],
    GSA: [
      text("selection", 1),
      number("fix", 2),
      cell("list", "satellites_used", 3, null, 14),
      number("pdop", 15),
      number("hdop", 16),
      number("vdop", 17),
    ],
    GST: [
      time(1),
      number("rms", 2, "m"),
      number("latitude_error", 6, "m"),
      number("longitude_error", 7, "m"),
      number("altitude_error", 8, "m"),
    ],
    RMC: [
      time(1),
      text("status", 2),
      latitude(3),
      longitude(5),
      number("speed", 7, "kn"),
      number("course", 8, "°"),
      cell("date", "date", 9),
      turned("variation", 10),
      text("mode", 12),
    ],
    VTG: [
      number("course", 1, "°"),
      number("course_magnetic", 3, "°"),
      number("speed", 5, "kn"),
      number("speed_kmh", 7, "km/h"),
      text("mode", 9),
    ],
    ZDA: [time(1), number("day", 2), number("month", 3), number("year", 4), number("zone_hours", 5), number("zone_minutes", 6)],
    HDT: [number("heading", 1, "°")],
    HDM: [number("heading_magnetic", 1, "°")],
    HDG: [number("heading_magnetic", 1, "°"), turned("deviation", 2), turned("variation", 4)],
    ROT: [number("rate_of_turn", 1, "°/min"), text("status", 2)],
    VHW: [
      number("heading", 1, "°"),
      number("heading_magnetic", 3, "°"),
      number("water_speed", 5, "kn"),
      number("water_speed_kmh", 7, "km/h"),
    ],
    MWV: [
      number("wind_angle", 1, "°"),
      text("reference", 2),
      byUnit("wind_speed", 3, { K: "km/h", M: "m/s", N: "kn", S: "mph" }),
      text("status", 5),
    ],
    MWD: [
      number("wind_direction", 1, "°"),
      number("wind_direction_magnetic", 3, "°"),
      number("wind_speed_knots", 5, "kn"),
      number("wind_speed", 7, "m/s"),
    ],
    MDA: [
      number("pressure", 3, "bar"),
      number("air_temperature", 5, "°C"),
      number("water_temperature", 7, "°C"),
      number("humidity", 9, "%"),
      number("dew_point", 11, "°C"),
      number("wind_direction", 13, "°"),
      number("wind_direction_magnetic", 15, "°"),
      number("wind_speed_knots", 17, "kn"),
      number("wind_speed", 19, "m/s"),
    ],
    MTW: [number("water_temperature", 1, "°C")],
    DBT: [number("depth_feet", 1, "ft"), number("depth", 3, "m"), number("depth_fathoms", 5, "fathoms")],
    DPT: [number("depth", 1, "m"), number("depth_offset", 2, "m")],
  });
  return new Map(forms.map(([name, cells]) => [name, { cells, layout: cells.flatMap(fieldsOf) }]));
}

function fieldsOf({ field, byUnit }: SentenceCell): readonly Field[] {
  return byUnit.size === 0 ? [field] : [...byUnit.values()];
}
