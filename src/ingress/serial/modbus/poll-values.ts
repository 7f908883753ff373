// From the registers of one answer to messages: one per value, or one JSON object where the subject has no {field}.
// Readings are published durable, as those of every other port: nobody can ask for the same moment again.

import { type Batch, flagsFor, QOS_UNSTATED } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { toSubject } from "#core/subject.ts";
import type { Field } from "../decoders/field.ts";
import { ReadingWriter } from "../reading.ts";
import { escapeToken, parseSubjectTemplate } from "../subject-template.ts";
import type { ModbusOptions, ModbusPollOptions } from "./options.ts";
import { RegisterValue } from "./register-value.ts";

const READING_FLAGS = flagsFor(QOS_UNSTATED, true, false);

export interface PollPlace {
  readonly port: string;
  readonly unit: string;
}

export class PollValues {
  readonly #values: readonly RegisterValue[];
  readonly #layout: readonly Field[];
  readonly #unit: string;
  readonly #isBits: boolean;
  readonly #writer: ReadingWriter;
  readonly #builder = new BatchBuilder();

  /** Throws `SERIAL_SUBJECT_INVALID`. */
  constructor(options: ModbusOptions, poll: ModbusPollOptions, place: PollPlace) {
    const subject = options.subject.replaceAll("{poll}", toSubject(escapeToken(poll.name)));
    const template = parseSubjectTemplate({ name: place.port, subject, decode: "modbus" });
    this.#unit = place.unit;
    this.#isBits = poll.table === "coils" || poll.table === "discrete";
    this.#values = poll.registers.map((register) => new RegisterValue(register));
    this.#layout = poll.registers.map(({ name, unit, scale, add }) => ({ name, unit, scale, add }));
    this.#writer = new ReadingWriter(template, options.unitsIn, (to, bytes, start, end, headers) => {
      const payload = bytes.subarray(start, end);
      this.#builder.add({ subject: to, payload, flags: READING_FLAGS, ...(headers === undefined ? {} : { headers }) });
    });
  }

  /** `data`: registers, high byte first, or coils, the first in the lowest bit. Returns what was wrong, or undefined. */
  publish(data: Buffer, publish: (batch: Batch) => void): string | undefined {
    this.#builder.beginOwn();
    this.#writer.begin(this.#layout, this.#unit);
    for (let i = 0; i < this.#values.length; i++) {
      const value = this.#values[i]!;
      this.#writer.add(this.#layout[i]!, this.#isBits ? value.ofBits(data) : value.ofWords(data));
    }
    const fault = this.#writer.end();
    if (this.#builder.count > 0) publish(this.#builder);
    return fault;
  }
}
