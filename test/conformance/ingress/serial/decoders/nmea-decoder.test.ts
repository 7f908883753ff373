import assert from "node:assert/strict";
import { test } from "node:test";
import { openDecoder, valuesOf } from "../../../../support/decoding.ts";
import { nmeaSentence } from "../../../../support/framings.ts";

const NMEA = { type: "nmea", sentences: null, unitsIn: "headers" } as const;

function values(sentence: string): Readonly<Record<string, string>> {
  const decoding = openDecoder(NMEA)(sentence);
  assert.equal(decoding.fault, undefined, sentence);
  return valuesOf(decoding);
}

test("positions, times and dates come out as people and programs read them", () => {
  assert.deepEqual(values("$GPGGA,123519.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"), {
    time: '"12:35:19.00"',
    latitude: "48.117300",
    longitude: "11.516667",
    quality: "1",
    satellites: "8",
    hdop: "0.9",
    altitude: "545.4",
    geoid_separation: "46.9",
  });
  assert.deepEqual(values("$GPRMC,123519,A,4807.038,S,01131.000,W,022.4,084.4,230394,003.1,W*63".replace("*63", "")), {
    time: '"12:35:19"',
    status: '"A"',
    latitude: "-48.117300",
    longitude: "-11.516667",
    speed: "22.4",
    course: "84.4",
    date: '"1994-03-23"',
    variation: "-3.1",
  });
});

test("each known sentence has its names and units", () => {
  const cases: [sentence: string, expected: Record<string, string>][] = [
    [
      "$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A",
      { course: "54.7", course_magnetic: "34.4", speed: "5.5", speed_kmh: "10.2", mode: '"A"' },
    ],
    [
      "$GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1",
      { selection: '"A"', fix: "3", satellites_used: "[4,5,9,12,24]", pdop: "2.5", hdop: "1.3", vdop: "2.1" },
    ],
    [
      "$GPGSV,2,1,08,01,40,083,46,02,17,308,",
      {
        sentences: "2",
        number: "1",
        in_view: "8",
        satellites: '[{"id":1,"elevation":40,"azimuth":83,"snr":46},{"id":2,"elevation":17,"azimuth":308,"snr":null}]',
      },
    ],
    [
      "$GPZDA,201530.00,04,07,2002,00,00",
      { time: '"20:15:30.00"', day: "4", month: "7", year: "2002", zone_hours: "0", zone_minutes: "0" },
    ],
    ["$HEHDT,274.07,T", { heading: "274.07" }],
    ["$HCHDG,98.3,0.0,E,12.6,W", { heading_magnetic: "98.3", deviation: "0.0", variation: "-12.6" }],
    ["$SDDBT,036.4,f,011.1,M,006.0,F", { depth_feet: "36.4", depth: "11.1", depth_fathoms: "6.0" }],
    ["$SDDPT,2.4,-0.5", { depth: "2.4", depth_offset: "-0.5" }],
    ["$YXMTW,17.75,C", { water_temperature: "17.75" }],
    [
      "$WIMWD,270.0,T,268.1,M,12.4,N,6.4,M",
      { wind_direction: "270.0", wind_direction_magnetic: "268.1", wind_speed_knots: "12.4", wind_speed: "6.4" },
    ],
    ["$PGRMZ,93,f,007", { f1: "93", f2: '"f"', f3: '"007"' }],
  ];
  for (const [sentence, expected] of cases) assert.deepEqual(values(sentence), expected, sentence);
});

test("a wind speed has the unit that its sentence says", () => {
  const feed = openDecoder(NMEA);
  const speed = (letter: string) =>
    feed(nmeaSentence(`WIMWV,084.0,R,10.4,${letter},A`)).messages.find(({ subject }) => subject === "s.wind_speed");
  assert.deepEqual(speed("N")?.headers, ["Petiole-Unit: kn"]);
  assert.deepEqual(speed("M")?.headers, ["Petiole-Unit: m/s"]);
  assert.equal(speed("?")?.headers, undefined);
});

test("a transducer names its value itself", () => {
  const { messages, fault } = openDecoder(NMEA)("$WIXDR,C,19.5,C,Temp Air,P,1.01325,B,,U,12.1,V,Bat,H,x,P,Hum");
  assert.deepEqual(messages, [
    { subject: "s.Temp%20Air", payload: "19.5", headers: ["Petiole-Unit: °C"] },
    { subject: "s.P2", payload: "1.01325", headers: ["Petiole-Unit: bar"] },
    { subject: "s.Bat", payload: "12.1", headers: ["Petiole-Unit: V"] },
  ]);
  assert.equal(fault, 'no number from transducer "Hum"');
});

test("a transducer whose group is cut short is passed over", () => {
  assert.deepEqual(openDecoder(NMEA)("$WIXDR,C,19.5,C,A,P,1"), {
    messages: [{ subject: "s.A", payload: "19.5", headers: ["Petiole-Unit: °C"] }],
    fault: undefined,
  });
});

test("a whole object says sentence and talker, and the subject may name the sentence", () => {
  const { messages } = openDecoder(NMEA, "gps.{sentence}")(nmeaSentence("GNHDT,12.5,T"));
  assert.deepEqual(messages, [
    {
      subject: "gps.HDT",
      payload: '{"sentence":"HDT","talker":"GN","heading":12.5}',
      headers: ['Petiole-Fields: {"heading":{"unit":"°"}}'],
    },
  ]);
});

test("sentences that are not wanted are passed over without a fault", () => {
  const feed = openDecoder({ ...NMEA, sentences: ["HDT"] });
  assert.deepEqual(feed("$GPVTG,1,T"), { messages: [], fault: undefined });
  assert.equal(feed("$HEHDT,1,T").messages.length, 1);
});

test("what is no sentence, or not whole, is a fault", () => {
  const feed = openDecoder(NMEA);
  assert.equal(feed("GPGGA,1").fault, "no $ or ! in front");
  assert.equal(feed("$HEHDT,274.07,T*00").fault, "its checksum is wrong");
  assert.equal(feed("$HEHDT,274*07,T").fault, "its checksum is wrong");
  assert.equal(feed("$he,1").fault, "no address such as GPGGA in front");
  assert.equal(feed("$GPGGA,123519,4899.038,N,01131.000,E,1").fault, "cell 2 is no latitude");
  assert.equal(feed("$GPGGA,12:35,,,,,1").fault, "cell 1 is no time");
  assert.equal(feed("").fault, "no $ or ! in front");
});

test("a tag block in front, as framing by lines leaves it, is passed over", () => {
  assert.deepEqual(valuesOf(openDecoder(NMEA)("\\s:st1,c:1*0D\\$HEHDT,1.5,T")), { heading: "1.5" });
});

test("transducers that keep inventing names empty the memory and harm nothing", () => {
  const feed = openDecoder(NMEA);
  for (let i = 0; i < 2000; i++) assert.equal(feed(`$WIXDR,C,1,C,T${i}`).messages[0]?.subject, `s.T${i}`);
});
