// The registers in answers heard on a Modbus RTU bus (framing modbus_rtu). An answer does not say which registers it holds; the question
// before it does:
//
//   question  07 03 0010 0002      unit 7, holding registers 16 and 17
//   answer    07 03 04 00d6 0037   belongs to it: same unit, same function, as many bytes as were asked for
//
// What another master asks more than we want is passed over. An answer without its question, as after a bad frame, carries nothing.

import type { DecodeOptions, ListenedRegisterOptions } from "../decode-options.ts";
import type { Decoder } from "../decoder.ts";
import { wordsOf } from "../modbus/register-options.ts";
import { RegisterValue } from "../modbus/register-value.ts";
import type { ReadingWriter } from "../reading.ts";
import type { Field } from "./field.ts";

type ModbusOptions = DecodeOptions & { readonly type: "modbus" };
type Table = ListenedRegisterOptions["table"];

/** By function code. */
const TABLES: readonly (Table | undefined)[] = [undefined, "coils", "discrete", "holding", "input"];
/** Questions of different unit, table, address and count that are remembered; a master that asks more begins anew. */
const PLANS_MAX = 512;
const QUESTION_BYTES = 6;
/** With its checksum. Fewer bytes that are no frame are what a driver leaves on the wire when it is switched. */
const FRAME_BYTES = QUESTION_BYTES + 2;

interface Question {
  readonly unit: number;
  readonly code: number;
  readonly address: number;
  readonly count: number;
}

/** What to do with the answer to one question. */
interface Plan {
  readonly layout: readonly Field[];
  readonly values: readonly RegisterValue[];
}

export class ModbusDecoder implements Decoder {
  readonly #options: ModbusOptions;
  readonly #writer: ReadingWriter;
  readonly #plans = new Map<string, Plan>();
  #asked: Question | undefined;
  /** Since the last frame. */
  #passed = 0;

  constructor(options: ModbusOptions, writer: ReadingWriter) {
    this.#options = options;
    this.#writer = writer;
  }

  decode(bytes: Buffer, start: number, end: number): string | undefined {
    if (end - start < 3) return "too short for Modbus";
    const question = this.#asked;
    this.#asked = undefined;
    this.#passed = 0;
    const unit = bytes[start]!;
    const code = bytes[start + 1]!;
    if (question?.unit === unit && question.code === code && isAnswer(question, bytes, start, end)) {
      return this.#publish(question, bytes.subarray(start + 3, end));
    }
    if (TABLES[code] !== undefined && end - start === QUESTION_BYTES) {
      this.#asked = { unit, code, address: bytes.readUInt16BE(start + 2), count: bytes.readUInt16BE(start + 4) };
    }
    return undefined;
  }

  showsItsBeginning(): boolean {
    return true; // the framer saw the checksum
  }

  /** The answer, and another question behind it, may have been in there. */
  onPassed(bytes: number): void {
    this.#passed += bytes;
    if (this.#passed >= FRAME_BYTES) this.#asked = undefined;
  }

  reset(): void {
    this.#asked = undefined;
  }

  #publish(question: Question, data: Buffer): string | undefined {
    const { unit, code, address, count } = question;
    const key = `${unit} ${code} ${address} ${count}`;
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
      plan = this.#makePlan(question);
      this.#plans.set(key, plan);
    }
    this.#writer.begin(plan.layout, String(unit));
    for (let i = 0; i < plan.values.length; i++) {
      const value = plan.values[i]!;
      this.#writer.add(plan.layout[i]!, code <= 2 ? value.ofBits(data) : value.ofWords(data));
    }
    return this.#writer.end();
  }

  /** The values that are wanted and whole in the answer. */
  #makePlan({ unit, code, address, count }: Question): Plan {
    const wanted = this.#options.registers.filter((register) => {
      const words = code <= 2 ? 1 : wordsOf(register.type, register.length);
      const isThere = register.address >= address && register.address + words <= address + count;
      return register.table === TABLES[code] && (register.unitId ?? unit) === unit && isThere;
    });
    return {
      layout: wanted.map(({ name, unit: measure, scale, add }): Field => ({ name, unit: measure, scale, add })),
      values: wanted.map((register) => new RegisterValue({ ...register, offset: register.address - address })),
    };
  }
}

function isAnswer({ code, count }: Question, bytes: Buffer, start: number, end: number): boolean {
  const length = code <= 2 ? Math.ceil(count / 8) : count * 2;
  return bytes[start + 2] === length && end - start === 3 + length;
}
