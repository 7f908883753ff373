// Prometheus text of one scrape. Names get the prefix `petiole_`, counters the suffix `_total`.

import { Counter, Gauge, Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];

/** A fresh registry per scrape: the numbers live in the parts, not here. A metric without samples is left out. */
export class Exposition {
  readonly #registry = new Registry();

  gauge(name: string, help: string, samples: readonly Sample[] | number): void {
    const all = samplesOf(samples);
    if (all.length === 0) return;
    const metric = new Gauge({ name: `petiole_${name}`, help, labelNames: labelNamesOf(all), registers: [this.#registry] });
    for (const [labels, value] of all) metric.set({ ...labels }, value);
  }

  counter(name: string, help: string, samples: readonly Sample[] | number): void {
    const all = samplesOf(samples);
    if (all.length === 0) return;
    const labelNames = labelNamesOf(all);
    const metric = new Counter({ name: `petiole_${name}_total`, help, labelNames, registers: [this.#registry] });
    for (const [labels, value] of all) metric.inc({ ...labels }, value);
  }

  async render(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

function samplesOf(samples: readonly Sample[] | number): readonly Sample[] {
  return typeof samples === "number" ? [[{}, samples]] : samples;
}

function labelNamesOf(samples: readonly Sample[]): string[] {
  return Object.keys(samples[0]?.[0] ?? {});
}
